import { execFileSync } from 'node:child_process'
import { cpus, release, totalmem } from 'node:os'

/** One line of a benchmark's table. */
export interface Row {
  /** Word for `--rows`. */
  readonly id: string
  readonly what: string
  readonly unit: 'ms' | 's' | 'MB/s' | 'MiB' | '%' | 'of n'
  readonly values: readonly number[]
  /** What the values have to keep, where a target is set. */
  readonly target?: Target
  /** Anything a reader of the figures should know. */
  readonly note?: string
}

/** Bounds: every one that is given holds. */
export interface Target {
  readonly p50?: number
  readonly p95?: number
  readonly most?: number
  readonly least?: number
}

/** A row as it is printed and written. */
export interface Figure extends Omit<Row, 'values'> {
  readonly n: number
  readonly p50: number
  readonly p95: number
  readonly least: number
  readonly most: number
  /** Undefined where there is no target. */
  readonly kept: boolean | undefined
}

/** The value below which `share` of the values lie. https://en.wikipedia.org/wiki/Percentile#The_nearest-rank_method */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

export function figureOf({ values, ...row }: Row): Figure {
  const [p50, p95] = [percentile(values, 0.5), percentile(values, 0.95)]
  const [least, most] = [Math.min(...values), Math.max(...values)]
  const { target } = row
  const kept =
    target === undefined || values.length === 0
      ? undefined
      : p50 <= (target.p50 ?? Number.POSITIVE_INFINITY) &&
        p95 <= (target.p95 ?? Number.POSITIVE_INFINITY) &&
        most <= (target.most ?? Number.POSITIVE_INFINITY) &&
        least >= (target.least ?? Number.NEGATIVE_INFINITY)
  return { ...row, n: values.length, p50: rounded(p50), p95: rounded(p95), least: rounded(least), most: rounded(most), kept }
}

/** Figures in columns, for a terminal. */
export function table(figures: readonly Figure[]): string {
  const cells = figures.map(({ what, unit, n, p50, p95, most, target, kept, note }) => [
    what,
    String(n),
    String(p50),
    String(p95),
    String(most),
    unit,
    target === undefined
      ? ''
      : Object.entries(target)
          .map(([name, bound]) => `${name} ${name === 'least' ? '≥' : '≤'} ${bound}`)
          .join(', '),
    kept === undefined ? '' : kept ? '✓' : '✗',
    note ?? '',
  ])
  const head = ['', 'n', 'p50', 'p95', 'most', 'unit', 'target', '', '']
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]?.length ?? 0)))
  return [head, ...cells]
    .map((row) =>
      row
        .map((cell, column) => (column > 0 && column < 5 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** What a figure depends on beside the program. */
export function machine(): Readonly<Record<string, unknown>> {
  const commit = (() => {
    try {
      return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: import.meta.dirname, encoding: 'utf8' }).trim()
    } catch {
      return undefined
    }
  })()
  return {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    commit,
    at: new Date().toISOString(),
  }
}

function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Math.round(value * 10) / 10
}
