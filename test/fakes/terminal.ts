import xterm from '@xterm/headless'

/** A terminal that can be looked at: it understands what a real one does. */
export interface FakeTerminal {
  readonly isTTY: true
  readonly columns: number
  readonly rows: number
  write(text: string): boolean
  /** Everything that stands on it, what has scrolled away too; rows that were wrapped are put together again. */
  text(): Promise<string>
  /** The rows as they are, each a list of equally painted pieces. */
  pieces(): Promise<readonly (readonly Piece[])[]>
}

export interface Piece {
  readonly text: string
  readonly bold: boolean
  readonly dim: boolean
  /** Number in the palette of 16; undefined is the terminal's own. */
  readonly colour: number | undefined
}

export function fakeTerminal(columns: number, rows = 24): FakeTerminal {
  const terminal = new xterm.Terminal({ cols: columns, rows, scrollback: 10_000, convertEol: true, allowProposedApi: true })
  const written = (): Promise<void> => new Promise((resolve) => terminal.write('', resolve))
  const lines = async () => {
    await written()
    const { active } = terminal.buffer
    return Array.from({ length: active.length }, (_, row) => active.getLine(row)).filter((line) => line !== undefined)
  }
  return {
    isTTY: true,
    columns,
    rows,
    write: (text) => {
      terminal.write(text)
      return true
    },
    text: async () =>
      (await lines())
        .map((line) => `${line.isWrapped ? '' : '\n'}${line.translateToString(true)}`)
        .join('')
        .trim(),
    pieces: async () =>
      (await lines()).map((line) => {
        const pieces: Piece[] = []
        for (let column = 0; column < line.length; column++) {
          const cell = line.getCell(column)
          if (!cell || cell.getWidth() === 0) continue
          const style = {
            bold: cell.isBold() !== 0,
            dim: cell.isDim() !== 0,
            colour: cell.isFgDefault() ? undefined : cell.getFgColor(),
          }
          const text = cell.getChars() || ' '
          const last = pieces.at(-1)
          if (last && last.bold === style.bold && last.dim === style.dim && last.colour === style.colour)
            pieces[pieces.length - 1] = { ...last, text: last.text + text }
          else pieces.push({ text, ...style })
        }
        return pieces
      }),
  }
}
