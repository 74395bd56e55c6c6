import type { ProblemCode } from '../lib/errors.ts'
import { applyPages } from './apply.ts'
import { buildPages } from './build.ts'
import { clusterPages } from './cluster.ts'
import { configPages } from './config.ts'
import { enginePages } from './engine.ts'
import { imagePages } from './image.ts'
import { internalPages } from './internal.ts'
import type { Page } from './page.ts'
import { planPages } from './plan.ts'
import { portPages } from './port.ts'
import { readyPages } from './ready.ts'
import { renderPages } from './render.ts'
import { secretPages } from './secret.ts'
import { syncPages } from './sync.ts'

/** The page of every code. */
export const pages: Readonly<Record<ProblemCode, Page>> = {
  ...configPages,
  ...planPages,
  ...enginePages,
  ...clusterPages,
  ...buildPages,
  ...imagePages,
  ...renderPages,
  ...secretPages,
  ...applyPages,
  ...readyPages,
  ...syncPages,
  ...portPages,
  ...internalPages,
}
