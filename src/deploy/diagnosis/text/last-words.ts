import { type StartError, startError } from './start-error.ts'

/** What the last lines of a program say it died of. */
export type LastWords =
  | StartError
  | { readonly reason: 'library-missing'; readonly library: string }
  | { readonly reason: 'read-only'; readonly path: string | undefined }
  | { readonly reason: 'forbidden'; readonly what: string }
  | { readonly reason: 'address-in-use'; readonly port: number | undefined }

/** Lines from the last one up that may tell of the end; what stands above them the program survived. */
const tellingLines = 6
/** Lines of a trace, which tell where and not what. */
const isTrace = /^\s*(?:at |\.\.\. |File "|[}\])]|\^|errno:|code:|syscall:|Node\.js v|goroutine )/
/** What a program only complains of does not end it. */
const isComplaint = /\bwarn(?:ing)?\b|\[debug\]|\[info\]/i

/**
 * Reads the last lines of a program that ended with `exitCode`. The last line that says something counts: above it stands what the program tried
 * before. Shells are read, and the texts of glibc, musl, Node.js, Python, Go, Java and nginx.
 */
export function lastWords(lines: readonly string[], exitCode: number): LastWords | undefined {
  const telling = lines
    .filter((line) => line.trim() !== '' && !isTrace.test(line) && !isComplaint.test(line))
    .slice(-tellingLines)
  for (const line of telling.toReversed())
    for (const read of readers) {
      const found = read(line, exitCode)
      if (found) return found
    }
  return undefined
}

const readers: readonly ((line: string, exitCode: number) => LastWords | undefined)[] = [
  byRuntime,
  byShell,
  ofLibrary,
  ofReadOnly,
  ofAddress,
  ofPermission,
]

/** The runtime's last step runs inside of the container, so its complaint is the container's only line. */
function byRuntime(line: string): LastWords | undefined {
  if (/^(?:exec |standard_init_linux\.go|\{?"?msg"?:|.*exec container process )/.test(line)) {
    const found = startError(line)
    if (found) return found
    const old = /exec user process caused:? "?(exec format error|no such file or directory)/.exec(line)?.[1]
    if (old) return { reason: old === 'exec format error' ? 'exec-format' : 'interpreter-missing', command: '' }
  }
  return undefined
}

/** https://www.gnu.org/software/bash/manual/html_node/Exit-Status.html: 127 for what is not found, 126 for what may not be executed. */
function byShell(line: string, exitCode: number): LastWords | undefined {
  const format = /(\S+): (?:cannot execute binary file|Exec format error)/.exec(line)?.[1]
  if (format && (exitCode === 126 || exitCode === 2)) return { reason: 'exec-format', command: format }
  if (exitCode === 126) {
    const [, command, interpreter] = /(\S+): (?:(\S+): bad interpreter: )?(?:Permission denied|Is a directory)$/i.exec(line) ?? []
    if (command) return { reason: 'not-executable', command: interpreter ?? command }
  }
  if (exitCode !== 126 && exitCode !== 127) return undefined
  const script = /(\S+): (?:\S+: bad interpreter: No such file|cannot execute: required file not found)/.exec(line)?.[1]
  if (script) return { reason: 'interpreter-missing', command: script }
  const byEnv = /\benv: (?:can't execute )?[‘'"]([^’'"]+)[’'"]: No such file/.exec(line)?.[1]
  if (byEnv) return { reason: 'not-found', command: byEnv }
  const command =
    /(\S+): command not found$/.exec(line)?.[1] ??
    /(?:^|: )(?:line )?\d+: (?:exec: )?(\S+): not found$/.exec(line)?.[1] ??
    /^\S*sh: (\S+): not found$/.exec(line)?.[1] ??
    /^\S+: (?:line )?\d+: (?:exec: )?(\/\S+): No such file or directory$/.exec(line)?.[1]
  return command ? { reason: 'not-found', command } : undefined
}

function ofLibrary(line: string): LastWords | undefined {
  const library =
    /([\w./+-]+\.so[.\d]*): cannot open shared object file/.exec(line)?.[1] ??
    /Error loading shared library ([^:\s]+):/.exec(line)?.[1] ??
    /version [`'](\w+_[\d.]+)' not found/.exec(line)?.[1]
  return library ? { reason: 'library-missing', library } : undefined
}

function ofReadOnly(line: string): LastWords | undefined {
  return /read-only file ?system|\bEROFS\b/i.test(line) ? { reason: 'read-only', path: pathIn(line) } : undefined
}

function ofAddress(line: string): LastWords | undefined {
  const isTaken = /address (?:already )?in use|\bEADDRINUSE\b|port \d+ (?:is|was) already in use/i.test(line)
  if (!isTaken) return undefined
  const port = /port:? ?(\d{1,5})\b/i.exec(line)?.[1] ?? /:(\d{1,5})\b(?!.*:\d{1,5}\b)/.exec(line)?.[1]
  return { reason: 'address-in-use', port: port === undefined ? undefined : Number(port) }
}

/** Only with what is denied: what servers deny each other (tables, keys, pages) is no matter of the container. */
function ofPermission(line: string): LastWords | undefined {
  if (!/permission denied|\bEACCES\b|AccessDeniedException/i.test(line)) return undefined
  const port = /\b(?:bind|listen)\b.*:(\d{1,4})\b/.exec(line)?.[1]
  const what = port ? `port ${port}` : pathIn(line)
  return what ? { reason: 'forbidden', what } : undefined
}

/** The path that a line complains of: in quotes or behind the complaint, else the last one before it. */
function pathIn(line: string): string | undefined {
  const quotedPath = /["'`‘](\/[^"'`’]+)["'`’]/.exec(line)?.[1]
  if (quotedPath) return quotedPath
  const at = line.search(/read-only file ?system|permission denied|EROFS|EACCES|AccessDeniedException/i)
  const path = /(?:^|[\s:=(])(\/[^\s:'",)]+)/g
  const before = [...line.slice(0, at).matchAll(path)].at(-1)?.[1]
  return [...line.slice(at).matchAll(path)].at(-1)?.[1] ?? before
}
