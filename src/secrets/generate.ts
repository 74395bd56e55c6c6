import { randomInt } from 'node:crypto'
import type { SecretProvider } from './provider.ts'

const characters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** Letters and digits that nobody knows, so many for each name. In the config: `keys: { NAME: { generate: 32 } }`. */
export const generate: SecretProvider<number> = {
  read: async (length, names = []) =>
    new Map(
      names.map((name) => {
        const text = Array.from({ length }, () => characters[randomInt(characters.length)]).join('')
        return [name, { text, place: 'made by devkit' }]
      }),
    ),
  wayIn: (length) => `nothing: ${length} characters are made up`,
  files: () => [],
}
