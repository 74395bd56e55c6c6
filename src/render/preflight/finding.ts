import { asOne, DevkitError, type ProblemCode } from '../../lib/errors.ts'
import type { ObjectRef } from '../../lib/objects.ts'

/** Something that will not work, seen before anything is touched. */
export interface Finding {
  /** `failure`: a pod certainly never starts, or the API server certainly refuses. `warning`: all else. */
  readonly severity: 'failure' | 'warning'
  readonly code: ProblemCode
  /** Begins with its place, `FILE:LINE: `. */
  readonly message: string
  readonly hint: string
  /** `Kind/name`, where it is about one object. */
  readonly object?: string | undefined
  /** What makes it void where a cluster is there already and has it. */
  readonly unless?: Elsewhere | undefined
}

/** Something that a cluster may have although no manifest does: an object, maybe with keys in its data, or an API. */
export type Elsewhere =
  | {
      readonly ref: ObjectRef
      /** `about`: the message as far as it holds for an object that lacks keys. */
      readonly data?: { readonly keys: readonly string[]; readonly about: string }
    }
  | { readonly apiVersion: string; readonly kind: string }

/** With a capital and a full stop. */
export function sentence(words: string): string {
  return `${words[0]?.toUpperCase() ?? ''}${words.slice(1)}.`
}

/** A finding as what is thrown and told. */
export function problemIn({ code, message, hint, object }: Finding): DevkitError {
  return new DevkitError(code, { message, hint, object })
}

/** All failures as one problem; undefined when there is none. */
export function failureOf(findings: readonly Finding[]): DevkitError | undefined {
  return asOne(findings.filter(({ severity }) => severity === 'failure').map(problemIn))
}
