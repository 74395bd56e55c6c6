import type { KubeObject } from '../../lib/objects.ts'

/** An object that is not applied, and why. */
export class LeftOut {
  readonly reason: string

  constructor(reason: string) {
    this.reason = reason
  }
}

/** What a rule makes of an object: itself where it has no word about it. Pure, and the same when done twice. */
export type Transform = (object: KubeObject) => KubeObject | LeftOut

/** One word of the profile, or something that devkit does by itself. */
export interface Rule {
  readonly by: 'profile' | 'devkit'
  /** Path in the profile, such as `cpuLimits` or `services.web.env.DEBUG`; of devkit's own a word for what it does. */
  readonly path: string
  readonly apply: Transform
}
