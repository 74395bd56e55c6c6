import * as v from 'valibot'
import { type ProblemCode, problems } from '../lib/errors.ts'

/** The documents of `devkit explain --json`; their types and `schema/explanation.json` are made from this. */

const codeSchema = v.strictObject({
  code: v.picklist(Object.keys(problems) as [ProblemCode, ...ProblemCode[]]),
  /** What it means, in a few words. */
  summary: v.string(),
  /** Exit code of a run that ends with it. */
  exit: v.picklist([1, 2]),
  /** What happened, and when devkit says so. */
  means: v.string(),
  /** An example as it is shown, one or a few lines. */
  looks: v.string(),
  /** The likeliest first. */
  causes: v.array(v.string()),
  remedies: v.array(v.string()),
  /** Page that explains the code. */
  docs: v.string(),
})

/** Of a code; with `--list` of all of them. */
export const explanationSchema = v.union([codeSchema, v.strictObject({ problems: v.array(codeSchema) })])

export type Explanation = v.InferOutput<typeof codeSchema>
