import type { PagesOf } from './page.ts'

/** The values of Secrets. */
export const secretPages: PagesOf<'SECRET'> = {
  'SECRET-101': {
    means:
      'A Secret of the config has a key without a value, or no value at all, in any of its sources. All that is missing is told at once.',
    looks: `✗ SECRET-101 devkit.config.ts:21:7: Secret/web-env has no value for STRIPE_KEY; there is a STRIPE_TEST_KEY.
  → Write STRIPE_KEY=… into .env.`,
    causes: [
      'The file of the source is not there: a fresh checkout has no `.env`.',
      'The value has another name there.',
      'The variable is not set in the shell that devkit runs in.',
    ],
    remedies: [
      'Write the value where the hint says.',
      "Name the variable that has it: `keys: { STRIPE_KEY: { variable: 'STRIPE_TEST_KEY' } }`.",
      'Say `optional: true` for what the program can do without, or `generate: 32` for what any chance value does.',
    ],
  },
  'SECRET-102': {
    means: 'A key has a value, and it is not of the type that the config asks for. The value itself is never shown.',
    looks: `✗ SECRET-102 .env:4: DATABASE_URL of Secret/web-env has to be a URL such as postgres://user@host/name.
  → Correct it, or the type that secrets.web-env.keys.DATABASE_URL asks for.`,
    causes: [
      'The value was cut: quotes that are missing, a line break in a key or certificate.',
      'Another value was pasted in its place.',
      'A type `file` names a file that can’t be read.',
    ],
    remedies: ['Correct the value at the place that the message names.', 'Correct the type in `keys`.'],
  },
  'SECRET-103': {
    means:
      'A file with values can’t be read, or a line of it says something else than it seems: a quote that is not closed, a `#` that begins a comment.',
    looks: `✗ SECRET-103 .env:7: the value of PASSWORD is not what it seems: it ends at its \`#\`, which begins a comment.
  → Put the value into single quotes.`,
    causes: [
      'A value with `#` or quotes in it stands without quotes.',
      'The source names a directory, or a file that this user may not read.',
    ],
    remedies: ['Put the value into single quotes.', 'Correct `from` in the config, or the rights of the file.'],
  },
  'SECRET-104': {
    means:
      'A key with `generate` is made up once and kept in the Secret in the cluster, which this user may not read. A second value would break what has the first.',
    looks: `✗ SECRET-104 Secret/web-env of the cluster may not be read: secrets "web-env" is forbidden.
  → What is made up for secrets.web-env is kept there: get the right to read it, or give the values by its sources.`,
    causes: ['In this cluster the user may not `get` Secrets in the environment’s namespace.'],
    remedies: [
      'Ask who runs the cluster for `get` on Secrets in that namespace.',
      'Give the value yourself in a source, such as `.env`: then nothing has to be made up.',
    ],
  },
}
