import type { PagesOf } from './page.ts'

/** The command line, the config and the machine's settings. */
export const configPages: PagesOf<'CONFIG'> = {
  'CONFIG-001': {
    means: 'devkit was called with a verb, flag or value that it does not have. Nothing was read or touched.',
    looks: `✗ CONFIG-001 There is no verb 'upp'.
  → Did you mean up? See \`devkit --help\`.`,
    causes: [
      'A verb or flag is misspelt, or belongs to another verb.',
      'A flag lacks its value, or has one that it does not take.',
      '`--set` is no PATH=VALUE, or leads through a list or value that has no such part.',
      '`--env` names an environment with other than lower-case letters, digits and dashes.',
      'The directory of `--cwd`, or the file of `--out` or `--check`, is not there or can’t be written.',
    ],
    remedies: ['Take the word that the hint names.', 'Read `devkit --help`, or the help of the verb: `devkit up --help`.'],
  },
  'CONFIG-101': {
    means:
      'devkit looks for a file devkit.config with .ts, .mts, .js, .mjs, .json or .yaml in the directory and those above it. There is none, or `--config` names something else.',
    looks: `✗ CONFIG-101 There is no devkit.config.ts in /home/me/shop or above it.
  → Go to the project, name its directory with -C, or write a devkit.config.ts.`,
    causes: [
      'devkit was started outside the project.',
      'The project has no config yet.',
      '`--config` names a file that is not there, or one whose name ends in something else.',
    ],
    remedies: [
      'Go into the project, or name its directory: `-C DIR`.',
      'Write a `devkit.config.ts`: the project’s name and where its manifests are suffice.',
    ],
  },
  'CONFIG-102': {
    means: 'The config file is there, and reading or running it failed at the place that the message names.',
    looks: `✗ CONFIG-102 devkit.config.ts:7:3: Unexpected token.
  → Mend the file: it cannot be loaded.`,
    causes: [
      'It has a syntax error.',
      'It imports a file or package that is not there.',
      'It has no default export.',
      'It throws while it runs: a variable of the environment that is not set, a file that it reads.',
      'It never ends: an `await` of something that does not come.',
    ],
    remedies: [
      'Mend the line that the message names.',
      'Write `export default defineConfig({ … })`.',
      'Install the project’s packages if it imports one of them.',
    ],
  },
  'CONFIG-103': {
    means:
      'The config was read, and values in it are not what they have to be. All of them are told at once, each with file, line and column, what was expected and the nearest right word.',
    looks: `✗ CONFIG-103 devkit.config.ts:9:5: services.web.prots: unknown name; did you mean 'ports'?
  → Correct devkit.config.ts.`,
    causes: [
      'A name is misspelt or stands a level too high or too low.',
      'A value is of another type than expected: a text in place of a number, one thing in place of a list.',
      'Something that is required is missing.',
      'Two services ask for the same host port.',
      'A service has a `build` and no `image`, and the manifests don’t say which is meant.',
    ],
    remedies: [
      'Correct the places that the message names.',
      'Let the editor help: `defineConfig` gives types, and for .json and .yaml there is a schema, `devkit/schema/config.json`.',
    ],
  },
  'CONFIG-104': {
    means:
      'The profile that `--profile`, DEVKIT_PROFILE or an `extends` names is neither shipped nor in the config, or extends itself.',
    looks: `✗ CONFIG-104 There is no profile 'staging'.
  → Use one of ci, debug, dev, production, or add profiles.staging to the config.`,
    causes: [
      'Its name is misspelt.',
      'It is in the config of another project, or on another branch.',
      'DEVKIT_PROFILE is still set from other work.',
      'Profiles extend each other in a loop.',
    ],
    remedies: [
      'Use one of the names in the hint.',
      'Add it below `profiles` in the config.',
      'Remove one `extends` of the loop.',
    ],
  },
  'CONFIG-105': {
    means:
      'The config says something that is no mistake, but that this devkit can’t do: a sort of cluster that is to come, or a change of project, cluster or host ports below a `watch` that runs.',
    looks: `✗ CONFIG-105 The project, its cluster or its host ports changed in the config: a watch that runs cannot follow that.
  → End it (Ctrl-C), run \`devkit down\` when the cluster is to be another one, and start it again.`,
    causes: [
      '`project`, `cluster` or `ports[].host` were changed while `devkit watch` runs.',
      'The config asks for a sort of cluster that this version does not have.',
    ],
    remedies: [
      'End the watch and start it again.',
      "Use `cluster: { kind: {} }` or a cluster that exists: `cluster: { existing: { context: 'NAME' } }`.",
    ],
  },
  'CONFIG-106': {
    means:
      'A warning: Node’s own loader could not load the config, so it was loaded by another one that takes some 150 ms more at every run. The config works all the same.',
    looks: `! CONFIG-106 devkit.config.ts takes more than Node's own loader: Cannot find module './ports'. It is loaded by jiti, which is some 150 ms slower.
  → Write imports with the extension of the file.`,
    causes: [
      'An import leaves out the extension of a file, or names a directory.',
      'A type is imported without `import type`.',
      'The file has TypeScript that can’t be erased: an enum, a namespace with values.',
    ],
    remedies: [
      'Write `./ports.ts` in place of `./ports`.',
      'Write `import type` for types.',
      'Use an object with `as const` in place of an enum.',
    ],
  },
  'CONFIG-201': {
    means:
      'The file with the machine’s settings can’t be read, is no JSON, or has wrong values. It is the one that DEVKIT_MACHINE names, else machine.json in devkit’s directory of the XDG config.',
    looks: `✗ CONFIG-201 The machine settings file ~/.config/devkit/machine.json has wrong values: engine: unix://PATH or tcp://HOST:PORT.
  → Mend the file; \`devkit config --machine\` shows what devkit reads.`,
    causes: [
      'A name or value in it is wrong; the message says which.',
      'It is not valid JSON: a comma too many, a comment.',
      'DEVKIT_MACHINE names a file that is not there.',
    ],
    remedies: ['Mend the file, or remove it: an ordinary laptop needs none.', 'Unset DEVKIT_MACHINE if it is not meant.'],
  },
  'CONFIG-202': {
    means:
      'devkit can’t write its own files: its state (kubeconfigs, host ports, locks) in the XDG state directory, or what it remembers in `.devkit/` of the project.',
    looks: `✗ CONFIG-202 devkit cannot write to ~/.local/state/devkit: EACCES: permission denied.
  → Make room there, or give yourself the right to write it; XDG_STATE_HOME names another directory for devkit’s state.`,
    causes: [
      'The disk is full.',
      'The directory belongs to another user, often since devkit was once run with sudo.',
      'The home directory or the project is mounted read-only.',
    ],
    remedies: [
      'Make room on the disk.',
      'Give the directory back to yourself with `sudo chown -R $USER DIRECTORY`.',
      'Name another directory for devkit’s state in XDG_STATE_HOME.',
    ],
  },
  'CONFIG-203': {
    means:
      'A warning of `devkit doctor`: less than 1 GiB is free where devkit keeps its own files. They are small; the disk that they are on is not the only thing that will miss the room.',
    looks: `! CONFIG-203 700 MiB free for ~/.local/state/devkit
  → Make room or rights at ~/.local/state; XDG_STATE_HOME names another directory for devkit’s state.`,
    causes: [
      'Images, volumes and build caches of the container engine are on the same disk.',
      'Dependencies and build output of projects have piled up.',
    ],
    remedies: [
      'Make room: `docker system df` tells what the engine has.',
      'Name another directory for devkit’s state in XDG_STATE_HOME.',
    ],
  },
}
