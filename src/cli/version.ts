import { readFileSync } from 'node:fs'

/** The version in package.json, which lies one directory above the bundle and two above the source. */
export const version: string = ((): string => {
  for (const up of ['../package.json', '../../package.json']) {
    try {
      const found = JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8')) as { name?: string; version: string }
      if (found.name === 'devkit') return found.version
    } catch {
      // not here
    }
  }
  return '0.0.0'
})()
