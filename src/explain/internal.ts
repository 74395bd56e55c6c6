import type { PagesOf } from './page.ts'

/** devkit itself. */
export const internalPages: PagesOf<'INTERNAL'> = {
  'INTERNAL-001': {
    means:
      'Something happened that devkit does not know as a problem: a defect in devkit. The lines below the message say where.',
    looks: `✗ INTERNAL-001 devkit has a defect: Cannot read properties of undefined (reading 'name').
    TypeError: Cannot read properties of undefined (reading 'name')
  → Report it with the lines below.`,
    causes: [
      'devkit met a case that nobody thought of.',
      'Its files are damaged or of two versions: an upgrade that was cut off.',
    ],
    remedies: [
      'Report it with those lines, the version (`devkit --version`) and what was done.',
      'Run it again: what is done already is not done again.',
      'Install devkit anew if its files may be damaged.',
    ],
  },
  'INTERNAL-002': {
    means: 'The time of `--timeout` was over before all was up. The message names the steps that were still waited for.',
    looks: `✗ INTERNAL-002 The run took longer than --timeout 90s; it still waited for build/web.
  → Run it again with more time; what is done already is not done again.`,
    causes: [
      'A first run has to build and pull everything.',
      'The network or the machine is slow.',
      'A step hangs: a build that waits for input, a registry that does not answer.',
    ],
    remedies: ['Run it again with more time, such as `--timeout 15m`.', 'Look at what the named step does with `--verbose`.'],
  },
}
