import { posix } from 'node:path'

/** One pattern of an ignore file, as plain data: it can be sent to another thread. */
export interface IgnoreRule {
  /** A regular expression over a whole path relative to the file's directory, with `/` between names. */
  readonly source: string
  /** Written with `!`: what matches is taken back in. */
  readonly negated: boolean
  /** Written with `/` at its end: only directories match. */
  readonly directory: boolean
}

/**
 * The rules of a `.dockerignore`: every pattern starts at the directory of the file.
 * @see https://docs.docker.com/build/concepts/context/#syntax and github.com/moby/patternmatcher, whose translation this follows
 */
export function dockerIgnoreRules(text: string): readonly IgnoreRule[] {
  return linesOf(text).flatMap((line) => {
    const { negated, rest } = negation(line.trim())
    const pattern = posix.normalize(rest.trim()).replace(/^\/+|\/+$/g, '')
    if (pattern === '' || pattern === '.' || rest === '') return []
    return [{ source: `^${translate(pattern)}$`, negated, directory: false }]
  })
}

/**
 * The rules of patterns as they are written in a `.gitignore`: one without a `/` inside matches at every depth, `/` at its beginning ties it to the
 * directory, `/` at its end means directories only, `!` takes back in.
 * @see https://git-scm.com/docs/gitignore#_pattern_format
 */
export function gitIgnoreRules(patterns: readonly string[]): readonly IgnoreRule[] {
  return patterns.flatMap(linesOf).flatMap((line) => {
    const { negated, rest } = negation(line.replace(/(?<!\\)\s+$/, ''))
    const directory = rest.endsWith('/')
    const pattern = rest.replace(/\/+$/, '')
    if (pattern === '') return []
    const tied = pattern.includes('/')
    return [{ source: `^${tied ? '' : '(?:.*/)?'}${translate(pattern.replace(/^\//, ''))}$`, negated, directory }]
  })
}

function linesOf(text: string): readonly string[] {
  return text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
}

function negation(line: string): { readonly negated: boolean; readonly rest: string } {
  return line.startsWith('!') ? { negated: true, rest: line.slice(1) } : { negated: false, rest: line }
}

function translate(pattern: string): string {
  let source = ''
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern.charAt(at)
    if (char === '*' && pattern[at + 1] === '*') {
      while (pattern[at + 1] === '*') at++
      if (pattern[at + 1] === '/') at++
      source += at + 1 >= pattern.length ? '.*' : '(?:.*/)?'
    } else if (char === '*') source += '[^/]*'
    else if (char === '?') source += '[^/]'
    else if (char === '[') {
      const end = pattern.indexOf(']', at + 2)
      if (end < 0) source += '\\['
      else {
        source += `[${pattern
          .slice(at + 1, end)
          .replace(/^!/, '^')
          .replaceAll('[', '\\[')}]`
        at = end
      }
    } else if (char === '\\' && at + 1 < pattern.length) source += escaped(pattern.charAt(++at))
    else source += escaped(char)
  }
  return source
}

function escaped(char: string): string {
  return /[\w/ -]/.test(char) ? char : `\\${char}`
}

/** Rules and the directory (absolute) that they are relative to. */
export interface IgnoreFile {
  readonly base: string
  readonly rules: readonly IgnoreRule[]
}

/** Says whether rules ignore a path, relative to their directory. */
export type Ignores = (path: string, directory?: boolean) => boolean

/** The rules as a question. The last rule that matches the path, or a directory that it is in, decides. */
export function ignoring(rules: readonly IgnoreRule[]): Ignores {
  if (rules.length === 0) return () => false
  const compiled = rules.map((rule) => ({ ...rule, test: matcher(rule.source) }))
  const matches = (rule: (typeof compiled)[number], path: string, directory: boolean): boolean => {
    if (rule.test(path) && (directory || !rule.directory)) return true
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) if (rule.test(path.slice(0, at))) return true
    return false
  }
  return (path, directory = false) => {
    let verdict = false
    for (const rule of compiled) if (rule.negated === verdict && matches(rule, path, directory)) verdict = !rule.negated
    return verdict
  }
}

function matcher(source: string): (path: string) => boolean {
  try {
    const expression = new RegExp(source, 's')
    return (path) => expression.test(path)
  } catch {
    // a range such as [z-a] matches nothing, as in the programs that these files are for
    return () => false
  }
}

/** Whether a directory that the rules ignore may hold what they take back in: only then it has to be looked into. */
export function takesBackIn(rules: readonly IgnoreRule[]): boolean {
  return rules.some(({ negated }) => negated)
}
