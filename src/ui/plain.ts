import type { Listener } from '../events/bus.ts'
import type { Problem } from '../events/event.ts'
import { unreachable } from '../lib/errors.ts'

export interface PlainOptions {
  /** Lines of tools too. */
  readonly verbose: boolean
  /** Problems only. */
  readonly quiet: boolean
}

/** A line per event, for logs and for terminals that draw nothing. */
export function plain(out: { write(text: string): unknown }, { verbose, quiet }: PlainOptions): Listener {
  const say = (line: string): void => void out.write(`${line}\n`)
  return (event) => {
    if (quiet && event.type !== 'problem') return
    switch (event.type) {
      case 'run.started':
        return say(`devkit ${event.version}: ${event.command} ${event.project}/${event.env} with profile ${event.profile}`)
      case 'step.started':
        return verbose ? say(`… ${event.step}`) : undefined
      case 'step.output':
        return verbose ? say(`  ${event.step} | ${event.line}`) : undefined
      case 'step.finished':
        return say(`✓ ${event.step} ${event.outcome ? `${event.outcome} ` : ''}in ${duration(event.ms)}`)
      case 'step.failed':
        return say(`✗ ${event.step} after ${duration(event.ms)}`)
      case 'object':
        return verbose || event.outcome !== 'unchanged' ? say(`  ${event.kind}/${event.name} ${event.outcome}`) : undefined
      case 'service.ready':
        return verbose ? say(`  ${event.service} is ready`) : undefined
      case 'files.changed':
        return verbose ? say(`  ${event.count} changed: ${event.paths.join(', ')}`) : undefined
      case 'action':
        return event.do === 'sync' && !verbose
          ? undefined
          : say(`${event.service ? `${event.service}: ` : ''}${event.do === 'none' ? '' : `${event.do}, `}${event.reason}`)
      case 'synced':
        return say(
          `⚡ ${event.service}: ${event.files} files${event.deleted > 0 ? `, ${event.deleted} deleted` : ''} in ${event.pod} after ${event.ms} ms`,
        )
      case 'stale':
        return say(`${event.service}: ${event.pod} lacks ${event.files} files`)
      case 'restarted':
        return say(`↻ ${event.service}: ${event.container} restarted after ${event.ms} ms`)
      case 'forward.opened':
        return say(`→ ${event.service} ${event.url}`)
      case 'log':
        return say(`${event.service} | ${event.line}`)
      case 'problem':
        return say(problemText(event))
      case 'problem.resolved':
        return say(`✓ ${event.code} is resolved`)
      case 'run.finished':
        return say(event.ok ? `done in ${duration(event.ms)}` : `failed after ${duration(event.ms)}`)
      default:
        return unreachable(event)
    }
  }
}

/** A problem as text: code, message, detail, hint. */
export function problemText({ code, severity, message, hint, detail }: Problem): string {
  const lines = [`${severity === 'failure' ? '✗' : '!'} ${code} ${message}`]
  if (detail)
    lines.push(
      ...detail
        .trimEnd()
        .split('\n')
        .map((line) => `    ${line}`),
    )
  return [...lines, `  → ${hint}`].join('\n')
}

function duration(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`
}
