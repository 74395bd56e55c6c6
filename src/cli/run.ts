import type { Command, CommanderError } from 'commander'
import { DevkitError, Interrupted } from '../lib/errors.ts'
import { nearest } from '../lib/nearest.ts'
import { type Flag, globalFlags, helpText, nameOf, type Verb, verbs } from './command-line.ts'
import { exitCodeOf, type GlobalFlags, type Io } from './io.ts'
import { version } from './version.ts'

/** argv → a verb → its exit code. Tests enter here. */
export async function run(io: Io): Promise<number> {
  const [only = '--help', ...more] = io.argv
  // what is asked most needs no parser
  const answer =
    more.length > 0 ? undefined : { '--help': helpText, '-h': helpText, '--version': versionLine, '-V': versionLine }[only]
  if (answer) {
    io.stdout.write(answer())
    return 0
  }
  const { Command, CommanderError, Option } = await import('commander')
  let exitCode = 0
  const option = ({ flag, summary, choices, many }: Flag) => {
    const made = new Option(flag, summary)
    if (choices) made.argParser(oneOf(flag, choices))
    if (many) made.argParser((value, before: readonly string[] = []) => [...before, value])
    return made
  }
  const set = (command: Command, verb?: Verb): Command =>
    command
      .exitOverride()
      .configureHelp({ formatHelp: () => helpText(verb) })
      .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: () => undefined })
      .showSuggestionAfterError(false)
  const program = set(new Command('devkit')).version(version, '-V, --version').helpCommand(false)
  for (const flag of globalFlags) program.addOption(option(flag))
  for (const verb of verbs) {
    const command = set(program.command(verb.usage), verb)
    for (const flag of verb.flags ?? []) command.addOption(option(flag))
    command.action(async () => {
      const act = await verb.load()
      exitCode = await act(io, command.optsWithGlobals<GlobalFlags & Readonly<Record<string, unknown>>>(), command.args)
    })
  }
  try {
    await program.parseAsync([...io.argv], { from: 'user' })
    return exitCode
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0
    if (io.signal.reason instanceof Interrupted || thrown instanceof Interrupted) return 130
    return await report(io, thrown instanceof CommanderError ? usageError(thrown, io.argv) : thrown)
  }
}

function versionLine(): string {
  return `${version}\n`
}

function oneOf(flag: string, choices: readonly string[]) {
  return (value: string): string => {
    if (choices.includes(value)) return value
    throw wrong(
      `'${value}' is no value of ${flag.replace(/ <.*/, '')}.`,
      nearest(value, choices),
      `It is one of ${choices.join(', ')}.`,
    )
  }
}

/** What commander found wrong, with the right word where one is near. */
function usageError({ code, message }: CommanderError, argv: readonly string[]): DevkitError {
  const said = `${message
    .replace(/^error: /, '')
    .replaceAll('\n', ' ')
    .replace(/\.$/, '')}.`
  const word = /'([^']+)'/.exec(message)?.[1] ?? ''
  if (code === 'commander.unknownCommand') return wrong(`There is no verb '${word}'.`, nearest(word, verbs.map(nameOf)))
  if (code === 'commander.unknownOption') {
    const verb = verbs.find((candidate) => argv.includes(nameOf(candidate)))
    const known = [...globalFlags, ...(verb?.flags ?? [])].flatMap(({ flag }) => flag.match(/--[a-z-]+/g) ?? [])
    return wrong(
      `There is no flag '${word}'${verb ? ` for ${nameOf(verb)}` : ''}.`,
      nearest(word.replace(/=.*/, ''), [...known, '--help', '--version']),
    )
  }
  return wrong(`${said.charAt(0).toUpperCase()}${said.slice(1)}`)
}

function wrong(message: string, meant?: string, hint = 'See `devkit --help`.'): DevkitError {
  return new DevkitError('CONFIG-001', { message, hint: meant === undefined ? hint : `Did you mean ${meant}? ${hint}` })
}

/** Tells what ended a run that had no voice of its own yet. */
async function report(io: Io, thrown: unknown): Promise<number> {
  const [{ problemEvent }, { Bus }, { openVoice }] = await Promise.all([
    import('../engine/step.ts'),
    import('../events/bus.ts'),
    import('./voice.ts'),
  ])
  const json = io.argv.includes('--json') || /(?:^| )(?:-o|--output)[ =]?json(?: |$)/.test(io.argv.join(' '))
  const bus = new Bus()
  const voice = await openVoice(io, { json, quiet: true })
  bus.subscribe(voice.listener)
  bus.emit(problemEvent(thrown))
  await voice.close()
  return exitCodeOf(thrown)
}
