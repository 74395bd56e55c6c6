/** Colours, or the same words without them. */
export interface Paint {
  readonly bold: Brush
  readonly dim: Brush
  readonly red: Brush
  readonly green: Brush
  readonly yellow: Brush
  readonly cyan: Brush
  /** A colour of its own for a name, the same at every run. */
  readonly named: (name: string, text: string) => string
}

type Brush = (text: string) => string

/** https://en.wikipedia.org/wiki/ANSI_escape_code#Select_Graphic_Rendition_parameters */
const codes = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39], cyan: [36, 39] } as const
const nameColours = [36, 35, 34, 33, 32, 96, 95, 94, 93, 92]

export function paint(colour: boolean): Paint {
  const brush = (begin: number, end: number): Brush =>
    colour ? (text) => `\u001b[${begin}m${text}\u001b[${end}m` : (text) => text
  const brushes = Object.fromEntries(Object.entries(codes).map(([name, [begin, end]]) => [name, brush(begin, end)]))
  return {
    ...(brushes as Record<keyof typeof codes, Brush>),
    named: (name, text) => {
      const sum = [...name].reduce((hash, letter) => (hash * 31 + (letter.codePointAt(0) ?? 0)) >>> 0, 7)
      return brush(nameColours[sum % nameColours.length] ?? 36, 39)(text)
    },
  }
}

/** Text of a foreign program that cannot move the cursor or clear the screen; its colours stay where `colour` says so. */
export function tame(text: string, colour: boolean): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
      .replace(/\u001b\[([0-9;:]*)([@-~])|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b./g, (whole, _numbers, final) =>
        colour && final === 'm' ? whole : '',
      )
      // a progress bar that draws over itself: its last state
      .replace(/^.*\r(?!$)/, '')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
      .replace(/[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f]/g, '')
  )
}
