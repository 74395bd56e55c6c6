import type { Event, Problem } from '../events/event.ts'
import { unreachable } from '../lib/errors.ts'
import { type Paint, tame } from './paint.ts'

export interface SentenceOptions {
  /** Lines of tools too. */
  readonly verbose: boolean
  /** Problems only. */
  readonly quiet: boolean
  readonly paint: Paint
  /** Foreign text keeps its own colours. */
  readonly colour: boolean
}

/** Words for events, one teller a run: it remembers what it said. Undefined says that there is nothing to say. */
export function sentences({ verbose, quiet, paint, colour }: SentenceOptions): (event: Event) => string | undefined {
  const urls = new Set<string>()
  let widest = 0
  let command = ''
  const sayProblem = problemTexts(paint, colour)
  const opened = (service: string, url: string): string | undefined => {
    if (urls.has(url)) return undefined
    urls.add(url)
    return `${paint.cyan('→')} ${service} ${paint.bold(url)}`
  }
  const say = (event: Event): string | undefined => {
    switch (event.type) {
      case 'run.started':
        command = event.command
        return `${paint.bold(`devkit ${event.command}`)} ${event.project}/${event.env} ${paint.dim(`with profile ${event.profile}, version ${event.version}`)}`
      case 'step.started':
        return verbose ? paint.dim(`… ${event.step}`) : undefined
      case 'step.output':
        // what takes long needs a word: how far a big file is, what a workload waits for
        return verbose || /^(?:sync|ready)\//.test(event.step)
          ? `  ${paint.dim(`${event.step} |`)} ${tame(event.line, colour)}`
          : undefined
      case 'step.finished':
        return `${paint.green('✓')} ${stepText(event)}`
      case 'step.failed':
        return `${event.overtaken ? paint.dim('–') : paint.red('✗')} ${stepText(event)}`
      case 'object':
        return verbose || event.outcome !== 'unchanged'
          ? `  ${event.kind}/${event.name} ${event.outcome}${changeText(event)}`
          : undefined
      case 'service.ready':
        return verbose ? `  ${event.service} is ready` : undefined
      case 'files.changed':
        return verbose ? `  ${counted(event.count, 'path')} changed: ${event.paths.join(', ')}` : undefined
      case 'action':
        return event.do === 'sync' && !verbose
          ? undefined
          : `${event.service ? `${event.service}: ` : ''}${event.do === 'none' ? '' : `${event.do}, `}${event.reason}`
      case 'synced':
        return `${paint.yellow('⚡')} ${event.service}: ${counted(event.files, 'file')}${event.deleted > 0 ? `, ${event.deleted} deleted` : ''}${
          event.restarted ? ', restarted' : ''
        } in ${event.pod} after ${event.ms} ms`
      case 'stale':
        return `${paint.yellow('!')} ${event.service}: ${event.pod} lacks ${counted(event.files, 'file')}`
      case 'restarted':
        return `${paint.yellow('↻')} ${event.service}: ${event.container} restarted after ${duration(event.ms)}${
          event.killedAfterMs === undefined ? '' : `, killed: it did not end within ${event.killedAfterMs} ms`
        }`
      case 'forward.opened':
        return opened(event.service, event.url)
      case 'log':
        widest = Math.max(widest, event.service.length)
        return `${paint.named(event.service, `${event.service.padEnd(widest)} |`)} ${tame(event.line, colour)}`
      case 'problem':
        return sayProblem(event)
      case 'problem.resolved':
        return `${paint.green('✓')} ${event.code}${event.service ? ` of ${event.service}` : ''}${event.object ? ` (${event.object})` : ''} is resolved`
      case 'run.finished': {
        const rest = Object.entries(event.urls).flatMap(([service, url]) => opened(service, url) ?? [])
        return [...rest, endText(event, command, paint)].join('\n')
      }
      default:
        return unreachable(event)
    }
  }
  return (event) => (quiet && event.type !== 'problem' ? undefined : say(event))
}

/** `: spec.replicas and 2 more` */
function changeText({ count = 0, fields = [] }: Extract<Event, { type: 'object' }>): string {
  const shown = fields.slice(0, 3)
  if (shown.length === 0) return ''
  return `: ${shown.join(', ')}${count > shown.length ? ` and ${count - shown.length} more` : ''}`
}

/** `build/web built in 3.2 s` */
export function stepText(event: Extract<Event, { type: 'step.finished' | 'step.failed' }>): string {
  return event.type === 'step.failed'
    ? `${event.step} ${event.overtaken ? 'overtaken by a newer change' : 'failed'} after ${duration(event.ms)}`
    : `${event.step} ${event.outcome ? `${event.outcome} ` : ''}in ${duration(event.ms)}`
}

function endText({ ok, exitCode, ms }: Extract<Event, { type: 'run.finished' }>, command: string, paint: Paint): string {
  if (ok && command === 'watch') return paint.dim(`ended after ${duration(ms)}; the environment stays up`)
  if (exitCode === 130) return paint.dim(`interrupted after ${duration(ms)}`)
  return ok ? paint.dim(`done in ${duration(ms)}`) : paint.red(`failed after ${duration(ms)}`)
}

/** Problems as texts, one teller a run: the first says where more is to be read. A wrong command line is told with the right one already. */
export function problemTexts(paint: Paint, colour: boolean): (problem: Problem) => string {
  let isExplained = false
  return (problem) => {
    const text = problemText(problem, paint, colour)
    if (isExplained || problem.code === 'CONFIG-001') return text
    isExplained = true
    return `${text}\n    ${paint.dim(`devkit explain ${problem.code}`)}`
  }
}

/** Code, message, detail, hint. */
function problemText({ code, severity, message, hint, detail }: Problem, paint: Paint, colour: boolean): string {
  const failure = severity === 'failure'
  const mark = failure ? paint.red('✗') : paint.yellow('!')
  const lines = [`${mark} ${failure ? paint.red(paint.bold(code)) : paint.yellow(code)} ${message}`]
  if (detail)
    lines.push(
      ...detail
        .trimEnd()
        .split('\n')
        .map((line) => paint.dim(`    ${tame(line, colour)}`)),
    )
  return [...lines, `  ${paint.cyan('→')} ${hint}`].join('\n')
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`
}
