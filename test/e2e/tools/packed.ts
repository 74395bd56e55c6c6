import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../../..')

/**
 * Packs the program and installs it into a directory of its own, as a user would: tests and benchmarks run that, never the sources.
 * Installed without the network where npm's cache has everything.
 */
export function installPacked(): { readonly bin: string; readonly remove: () => void } {
  const directory = mkdtempSync(join(tmpdir(), 'devkit-packed-'))
  // tests run it as other users too
  chmodSync(directory, 0o755)
  const npm = (args: readonly string[], cwd: string): void =>
    void execFileSync('npm', args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
  npm(['pack', '--pack-destination', directory, '--loglevel=error'], root)
  const archive = readdirSync(directory).find((name) => name.endsWith('.tgz'))
  if (archive === undefined) throw new Error('npm pack made no archive')
  npm(
    [
      'install',
      '--prefix',
      directory,
      '--prefer-offline',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      join(directory, archive),
    ],
    directory,
  )
  const bin = join(directory, 'node_modules/devkit/dist/bin.js')
  if (!existsSync(bin)) throw new Error(`${bin} is not in the package`)
  return { bin, remove: () => rmSync(directory, { recursive: true, force: true }) }
}
