import { docsOf } from '../../engine/step.ts'
import type { Explanation } from '../../events/explanation.ts'
import { codes, explain, meant } from '../../explain/explain.ts'
import { DevkitError, type ProblemCode } from '../../lib/errors.ts'
import { codeList, explanationText } from '../../ui/explanation.ts'
import { paint } from '../../ui/paint.ts'
import { type GlobalFlags, type Io, isJson } from '../io.ts'

/** `devkit explain CODE`, `devkit explain --list` */
export async function explainVerb(
  io: Io,
  flags: GlobalFlags & { readonly list?: boolean },
  [word]: readonly string[],
): Promise<number> {
  const colours = paint(io.stdout.isTTY === true && flags.color && !io.env['NO_COLOR'])
  if (flags.list) {
    const problems = codes.map(explanationOf)
    io.stdout.write(isJson(flags) ? `${JSON.stringify({ problems })}\n` : codeList(problems, colours))
    return 0
  }
  const explanation = explanationOf(codeOf(word))
  io.stdout.write(
    isJson(flags) ? `${JSON.stringify(explanation)}\n` : explanationText(explanation, colours, io.stdout.columns || undefined),
  )
  return 0
}

/** @throws CONFIG-001 */
function codeOf(word: string | undefined): ProblemCode {
  const hint = '`devkit explain --list` has all of them.'
  if (word === undefined) throw new DevkitError('CONFIG-001', { message: 'Explain which code?', hint })
  const found = meant(word)
  if ('code' in found) return found.code
  const near = found.nearest === undefined ? '' : `Did you mean ${found.nearest}? `
  throw new DevkitError('CONFIG-001', { message: `There is no problem code '${word}'.`, hint: near + hint })
}

function explanationOf(code: ProblemCode): Explanation {
  const { causes, remedies, ...rest } = explain(code)
  return { ...rest, causes: [...causes], remedies: [...remedies], docs: docsOf(code) }
}
