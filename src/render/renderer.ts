import type { Manifest } from '../lib/objects.ts'
import type { Step } from '../lib/step.ts'

/** Turns one sort of source into manifests. */
export interface Renderer {
  /** `source` is relative to `directory`. @throws RENDER-101 … RENDER-103 */
  render(source: string, directory: string, step: Pick<Step, 'signal'>): Promise<readonly Manifest[]>
}
