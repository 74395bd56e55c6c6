import type { Step } from '../lib/step.ts'

/** Brings local images to the nodes of a cluster. */
export interface Delivery {
  /** The node has the image afterwards. `sent` is what went over the wire. @throws IMAGE-101 */
  deliver(
    reference: string,
    node: string,
    step: Step,
  ): Promise<{ readonly outcome: 'created' | 'unchanged'; readonly sentBytes: number }>
}
