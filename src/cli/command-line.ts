import type { GlobalFlags, Io } from './io.ts'

/** What a verb does with its flags and words; resolves with the exit code. */
export type Act = (io: Io, flags: GlobalFlags & Readonly<Record<string, unknown>>, words: readonly string[]) => Promise<number>

/** A verb as `--help` shows it. */
export interface Verb {
  /** Its name and words, as commander writes them. */
  readonly usage: string
  readonly summary: string
  readonly flags?: readonly Flag[]
  /** Loads what the verb needs; `--help` calls none. */
  readonly load: () => Promise<Act>
}

export interface Flag {
  readonly flag: string
  readonly summary: string
  readonly choices?: readonly string[]
  /** May be given again: its values are a list. */
  readonly many?: true
}

/** Flags of every verb; they may stand before or after it. */
export const globalFlags: readonly Flag[] = [
  { flag: '-C, --cwd <dir>', summary: 'run as if started there' },
  { flag: '--config <file>', summary: 'config file (default: the nearest devkit.config.ts upwards)' },
  { flag: '-p, --profile <name>', summary: 'what is laid over the production manifests (default: dev)' },
  { flag: '-e, --env <name>', summary: 'a second environment of the same project' },
  { flag: '--set <path=value>', summary: 'a value of the config for this run; may be given again', many: true },
  {
    flag: '-o, --output <format>',
    summary: 'pretty, plain or json (default: pretty on a terminal, else plain)',
    choices: ['pretty', 'plain', 'json'],
  },
  { flag: '--json', summary: 'the same as --output json' },
  { flag: '--timeout <time>', summary: 'for the whole run, such as 90s or 5m' },
  { flag: '--yes', summary: 'answer yes to every question' },
  { flag: '-v, --verbose', summary: 'more of what happens' },
  { flag: '-q, --quiet', summary: 'results and problems only' },
  { flag: '--no-color', summary: 'no colours; so does NO_COLOR' },
]

const pruneData: Flag = { flag: '--prune-data', summary: 'what holds data goes too: claims, volumes, kinds; asks first' }

const forceConflicts: Flag = {
  flag: '--force-conflicts',
  summary: 'fields that controllers own are taken from them, too',
}

/** All verbs, in the order of `--help`. */
export const verbs: readonly Verb[] = [
  {
    usage: 'up [service...]',
    summary: 'cluster, images, apply, ready, URLs; a second run changes nothing',
    flags: [
      pruneData,
      forceConflicts,
      { flag: '--recreate-data', summary: 'make anew what holds data and cannot be changed otherwise; asks first' },
    ],
    load: async () => (await import('./commands/up.ts')).upVerb,
  },
  {
    usage: 'watch [service...]',
    summary: 'up, then every save into the running containers',
    flags: [forceConflicts],
    load: async () => (await import('./commands/watch.ts')).watchVerb,
  },
  {
    usage: 'down',
    summary: 'remove what devkit made for this environment',
    flags: [pruneData],
    load: async () => (await import('./commands/down.ts')).downVerb,
  },
  {
    usage: 'status',
    summary: 'services, workloads, images, URLs, volumes, problems',
    flags: [{ flag: '--check', summary: 'exit 1 when something is not ready' }],
    load: async () => (await import('./commands/status.ts')).statusVerb,
  },
  {
    usage: 'doctor',
    summary: 'machine, engine, cluster, config, manifests: what is well, what is not, what mends it',
    load: async () => (await import('./commands/doctor.ts')).doctorVerb,
  },
  {
    usage: 'render',
    summary: 'the manifests as they would be applied',
    flags: [{ flag: '--out <dir>', summary: 'write a file per object there' }],
    load: async () => (await import('./commands/render.ts')).renderVerb,
  },
  {
    usage: 'diff [profileA] [profileB]',
    summary: 'what a profile changes, with the rule that did it; without names local against live',
    flags: [
      { flag: '--check [file]', summary: 'exit 1 when anything differs, or more than the file allows' },
      { flag: '--update', summary: 'write to the file of --check what differs now' },
    ],
    load: async () => (await import('./commands/diff.ts')).diffVerb,
  },
  {
    usage: 'config',
    summary: 'every value of the config and the profile, and where it comes from',
    flags: [{ flag: '--machine', summary: 'what devkit knows of this machine' }],
    load: async () => (await import('./commands/config.ts')).configVerb,
  },
  {
    usage: 'explain [code]',
    summary: 'what a problem code means, its causes, what to do',
    flags: [{ flag: '--list', summary: 'all codes' }],
    load: async () => (await import('./commands/explain.ts')).explainVerb,
  },
]

/** The word that people type. */
export function nameOf({ usage }: Verb): string {
  return usage.split(' ')[0] ?? usage
}

/** `devkit --help`, or `devkit VERB --help`. */
export function helpText(verb?: Verb): string {
  const list = (title: string, rows: readonly (readonly [string, string])[]): string =>
    rows.length === 0 ? '' : `\n${title}:\n${rows.map(([name, summary]) => `  ${name.padEnd(widest)}  ${summary}\n`).join('')}`
  const flagRows = (flags: readonly Flag[]) => flags.map(({ flag, summary }) => [flag, summary] as const)
  const always = [
    ...flagRows(globalFlags),
    ['-h, --help', 'this, or the flags of a verb'],
    ['-V, --version', 'the version'],
  ] as const
  const widest = Math.max(...always.map(([name]) => name.length))
  return verb
    ? `devkit ${verb.usage}\n\n${verb.summary}\n${list('Flags', flagRows(verb.flags ?? []))}${list('Flags of every verb', always)}`
    : `devkit <verb> [flags]\n\nThe production stack on this machine, and every save in it.\n${list(
        'Verbs',
        verbs.map(({ usage, summary }) => [usage, summary] as const),
      )}${list('Flags', always)}`
}
