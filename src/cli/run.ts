import type { Command } from 'commander'
import { Bus } from '../events/bus.ts'
import { DevkitError, Interrupted } from '../lib/errors.ts'
import { exitCodeOf, type GlobalFlags, type Io } from './io.ts'
import { version } from './version.ts'

/** argv → a verb → its exit code. Tests enter here. */
export async function run(io: Io): Promise<number> {
  const { Command, CommanderError, Option } = await import('commander')
  let exitCode = 0
  const program = new Command('devkit')
    .description('The production stack on this machine, and every save in it.')
    .version(version, '-V, --version')
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: () => undefined })
    .showSuggestionAfterError(true)
    .helpCommand(false)
  const global = (command: Command): Command =>
    command
      .option('-C, --cwd <dir>', 'run as if started there')
      .option('--config <file>', 'config file; default: the nearest devkit.config.ts upwards')
      .option('-p, --profile <name>', 'profile laid over the production manifests (default: dev)')
      .option('-e, --env <name>', 'a second environment of the same project', 'default')
      .addOption(
        new Option('-o, --output <format>', 'default: pretty on a terminal, else plain').choices(['pretty', 'plain', 'json']),
      )
      .option('--json', 'the same as --output json')
      .option('--timeout <time>', 'for each workload to become ready, such as 90s or 5m', '5m')
      .option('--yes', 'answer yes to every question')
      .option('-v, --verbose', 'more of what happens')
      .option('-q, --quiet', 'results and problems only')
      .option('--no-color', 'no colours')
  const verb = (name: string, text: string): Command => global(program.command(name).description(text).exitOverride())
  const act =
    (
      work: (
        flags: GlobalFlags & Record<string, unknown>,
        words: readonly string[],
        verbs: typeof import('./verbs.ts'),
      ) => Promise<number>,
    ) =>
    async (...args: unknown[]): Promise<void> => {
      const command = args.at(-1) as Command
      exitCode = await work(command.opts(), command.args, await import('./verbs.ts'))
    }
  verb('up [service...]', 'cluster, images, apply, ready, URLs; a second run changes nothing').action(
    act((flags, words, verbs) => verbs.upVerb(io, flags, words)),
  )
  verb('watch [service...]', 'up, then every save into the running containers').action(
    act((flags, words, verbs) => verbs.watchVerb(io, flags, words)),
  )
  verb('down', 'remove what devkit made for this environment').action(act((flags, _, verbs) => verbs.downVerb(io, flags)))
  verb('status', 'services, workloads, images and URLs')
    .option('--check', 'exit 1 when something is not ready')
    .action(act((flags, _, verbs) => verbs.statusVerb(io, flags)))
  verb('render', 'the manifests as they would be applied')
    .option('--out <dir>', 'write a file per object there')
    .action(act((flags, _, verbs) => verbs.renderVerb(io, flags)))
  verb('config', 'the resolved config and plan')
    .option('--machine', 'what devkit knows of this machine')
    .action(act((flags, _, verbs) => verbs.configVerb(io, flags)))
  const usage = (message: string): DevkitError => new DevkitError('CONFIG-001', { message, hint: 'See `devkit --help`.' })
  try {
    if (io.argv.length === 0) {
      io.stdout.write(program.helpInformation())
      return 0
    }
    await program.parseAsync([...io.argv], { from: 'user' })
    return exitCode
  } catch (thrown) {
    if (io.signal.aborted || thrown instanceof Interrupted) return 130
    if (thrown instanceof CommanderError) {
      if (thrown.exitCode === 0) return 0
      return await report(
        io,
        usage(
          `${thrown.message
            .replace(/^error: /, '')
            .replaceAll('\n', ' ')
            .replace(/\.$/, '')}.`,
        ),
      )
    }
    return await report(io, thrown)
  }
}

/** Tells what ended a run that had no voice of its own yet. */
async function report(io: Io, thrown: unknown): Promise<number> {
  const { problemEvent } = await import('../engine/step.ts')
  const json = io.argv.includes('--json') || io.argv.join(' ').includes('output json')
  const bus = new Bus()
  if (json) bus.subscribe((await import('../ui/json.ts')).json(io.stdout))
  else bus.subscribe((await import('../ui/plain.ts')).plain(io.stderr, { verbose: false, quiet: false }))
  bus.emit(problemEvent(thrown))
  return exitCodeOf(thrown)
}
