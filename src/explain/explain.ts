import { type ProblemCode, problems } from '../lib/errors.ts'
import { nearest } from '../lib/nearest.ts'
import type { Page } from './page.ts'
import { pages } from './pages.ts'

/** All that is known of a code: its row in the table of problems and its page. */
export interface Explained extends Page {
  readonly code: ProblemCode
  readonly summary: string
  /** Exit code of a run that ends with it. */
  readonly exit: 1 | 2
}

/** All codes in the order of the table, by area. */
export const codes = Object.keys(problems) as readonly ProblemCode[]

/** What there is to say about a code. */
export function explain(code: ProblemCode): Explained {
  return { code, ...problems[code], ...pages[code] }
}

/** What a person may have meant by a word: the code itself, also as `ready104`, or the nearest that there is. */
export function meant(word: string): { readonly code: ProblemCode } | { readonly nearest: ProblemCode | undefined } {
  const wanted = word.toUpperCase().replace(/^[^A-Z]*([A-Z]+)[^A-Z0-9]*(\d+)[^A-Z0-9]*$/, '$1-$2')
  const code = codes.find((one) => one === wanted)
  return code ? { code } : { nearest: codes.find((one) => one === nearest(wanted, codes)) }
}
