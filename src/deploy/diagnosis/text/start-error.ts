/** Why a container runtime could not start a program, as far as its text says. */
export type StartError =
  | { readonly reason: 'not-found' | 'not-executable' | 'exec-format' | 'interpreter-missing'; readonly command: string }
  | { readonly reason: 'working-directory'; readonly directory: string }
  | { readonly reason: 'no-memory' }

/** A path or name in the quotes of runc (`"x"`), of crun (`` `x` ``) or of a log that wraps either (`\"x\"`). */
const quoted = '\\\\?["`\']([^"`\'\\\\]+)\\\\?["`\']'

const texts: readonly (readonly [RegExp, (found: string) => StartError])[] = [
  [/container init was OOM-killed/, () => ({ reason: 'no-memory' })],
  // runc, of every version that the supported nodes have
  [new RegExp(`exec: ${quoted}: executable file not found`), (command) => ({ reason: 'not-found', command })],
  [new RegExp(`exec: ${quoted}: (?:stat \\S+: )?no such file or directory`), (command) => ({ reason: 'not-found', command })],
  [new RegExp(`exec: ${quoted}: (?:is a directory|permission denied)`), (command) => ({ reason: 'not-executable', command })],
  [new RegExp(`exec: ${quoted}: exec format error`), (command) => ({ reason: 'exec-format', command })],
  [/exec (\S+): exec format error/, (command) => ({ reason: 'exec-format', command })],
  [/exec (\S+): no such file or directory/, (command) => ({ reason: 'interpreter-missing', command })],
  [new RegExp(`chdir to cwd \\(${quoted}\\)`), (directory) => ({ reason: 'working-directory', directory })],
  [
    /container init: mkdir ([^:]+): (?:not a directory|permission denied)/,
    (directory) => ({ reason: 'working-directory', directory }),
  ],
  // crun
  [new RegExp(`executable file ${quoted} not found`), (command) => ({ reason: 'not-found', command })],
  [
    new RegExp(`(?:open executable|executable path):? ${quoted}: Permission denied`),
    (command) => ({ reason: 'not-executable', command }),
  ],
  [new RegExp(`exec container process ${quoted}: Exec format error`), (command) => ({ reason: 'exec-format', command })],
  [
    new RegExp(`exec container process \\(missing dynamic library\\?\\) ${quoted}`),
    (command) => ({ reason: 'interpreter-missing', command }),
  ],
  [new RegExp(`chdir (?:to )?${quoted}`), (directory) => ({ reason: 'working-directory', directory })],
]

/** Reads what runc or crun said through containerd, CRI-O or dockerd; undefined when it is about something else. */
export function startError(said: string): StartError | undefined {
  for (const [text, meant] of texts) {
    const found = text.exec(said)
    if (found) return meant(found[1] ?? '')
  }
  return undefined
}
