import * as v from 'valibot'
import { profileSchema } from './profile-schema.ts'
import { secretsSchema } from './secrets.ts'
import { sourceSpec } from './sources.ts'
import { described, has, label, names, oneOf, portNumber, record, text, texts } from './words.ts'

/**
 * The whole config language: types, checks, the JSON Schema and docs/config.md are made from it. `UserConfig` is what people write, `Config`
 * what devkit reads. A name here that has no part in `toolbox.ts` does not compile.
 */

const kindSpec = v.strictObject({
  nodeImage: described(
    "Image of the nodes; default: the machine's settings file, else the kind program's own.",
    v.optional(text),
  ),
})

const existingSpec = v.strictObject({
  context: described('A context of the kubeconfig (KUBECONFIG, else ~/.kube/config). No other is ever acted on.', text),
  registry: described(
    'Where built images are pushed for the cluster to pull, such as `localhost:5001`; default: they are put into nodes that are containers of this machine, else the cluster has them, or can pull them by their own names.',
    v.optional(v.pipe(text, v.regex(/^[^/\s]+(\/[^\s]*)?$/, 'a registry such as localhost:5001'))),
  ),
  enterNodes: described(
    'Whether nodes that are containers of this machine (minikube, kind) are entered for saves and images; default: yes. `false`: all goes through the API of the cluster and the registry.',
    v.optional(v.boolean()),
  ),
})

const ownCluster = v.strictObject({
  kind: described('A cluster whose nodes are containers, made by the kind program.', kindSpec),
})
const existingCluster = v.strictObject({
  existing: described('A cluster that somebody else made: devkit only puts its objects into it.', existingSpec),
})
const clusterSpec = oneOf([ownCluster, existingCluster], (input) => (has(input, 'existing') ? existingCluster : ownCluster))

const buildSpec = v.strictObject({
  context: described('Directory that the build may read, relative to the config file.', text),
  dockerfile: described('Path of the Dockerfile inside the context.', v.optional(text, 'Dockerfile')),
  target: described('The stage of the Dockerfile that is built; default: the last.', v.optional(text)),
  args: described('Values of the ARGs of the Dockerfile.', v.optional(names, {})),
  rebuildOn: described(
    'Patterns below the context, as in a .gitignore: a change of such a file builds again, also where a sync rule covers it.',
    v.optional(texts, []),
  ),
})

const command = described(
  'A program and its arguments; one text is a line for `sh -c`.',
  v.union([text, v.pipe(texts, v.minLength(1, 'a program and its arguments'))]),
)

const restart = v.union([
  v.picklist(['none', 'process', 'container']),
  v.strictObject({
    process: v.strictObject({
      graceMs: described(
        'How long the program has to end by itself after TERM, in ms, before it is killed; `process` alone gives it 100.',
        v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(60_000)),
      ),
    }),
  }),
  v.strictObject({
    signal: described('The signal that the program gets.', v.pipe(text, v.regex(/^SIG[A-Z0-9]+$/, 'a signal such as SIGHUP'))),
  }),
  v.strictObject({ command }),
])

const syncRun = v.strictObject({
  paths: described(
    'Patterns below `from`, as in a .gitignore: a sync of such a file runs the command in the container, before a restart.',
    v.pipe(texts, v.minLength(1, 'at least one pattern')),
  ),
  command,
})

const syncRule = v.strictObject({
  from: described('File or directory, relative to the config file.', text),
  to: described('Absolute path in the container.', v.pipe(text, v.startsWith('/', 'an absolute path in the container'))),
  ignore: described('Patterns below `from` that are never synced, as in a .gitignore.', v.optional(texts, [])),
  restart: described(
    'What happens to the program after a sync: nothing, since it reads files anew by itself, or it is restarted in place, with its container, by a signal or by a command. Default: inferred from the program that runs, and shown.',
    v.optional(restart),
  ),
  run: described('Commands that follow a sync.', v.optional(v.array(syncRun), [])),
})

const portSpec = v.strictObject({
  port: described("A port of the service's Service: its name or its number.", v.union([text, portNumber])),
  host: described('Port on 127.0.0.1; default: one that devkit picks once and keeps.', v.optional(portNumber)),
})

const serviceSpec = v.strictObject({
  image: described(
    'The image as it stands in the production manifests, without a tag; default: that of the workload.',
    v.optional(text),
  ),
  workload: described(
    '`Kind/name`; default: the workload that runs the image, or has the name of the service.',
    v.optional(v.pipe(text, v.regex(/^[A-Z][A-Za-z]+\/[a-z0-9.-]+$/, 'Kind/name, such as Job/migrate'))),
  ),
  build: described('How the image is built.', v.optional(buildSpec)),
  sync: described('What of the working tree goes into the running containers at every save.', v.optional(v.array(syncRule), [])),
  ports: described(
    'What is reachable on 127.0.0.1; default: the ports of its Services that speak HTTP.',
    v.optional(v.array(portSpec)),
  ),
  dependsOn: described(
    "Services that are ready before this one's workload is applied; default: those that its variables name.",
    v.optional(texts),
  ),
})

export const configSchema = v.strictObject({
  $schema: described('Address of the JSON Schema, for editors; devkit does not read it.', v.optional(text)),
  project: described('Names the cluster (`devkit-PROJECT`) and the namespace.', label(40)),
  cluster: described('Where the environment lives.', v.optional(clusterSpec, { kind: {} })),
  kubernetes: described(
    "The version of Kubernetes that the manifests are for, such as `'1.34'`; default: that of the cluster's `nodeImage`, else the newest that devkit knows.",
    v.optional(v.pipe(v.string("a version in quotes such as '1.34'"), v.regex(/^1\.\d+$/, "a version such as '1.34'"))),
  ),
  manifests: described(
    'The sources of the production manifests: files, directories and globs relative to the config file, or `{ kustomize }`, `{ helm }`, `{ template }`, `{ command }`.',
    v.pipe(v.array(sourceSpec), v.minLength(1, 'at least one source')),
  ),
  services: described(
    'What is built, synced and reachable, by names of your choice.',
    v.optional(record(label(40), serviceSpec), {}),
  ),
  secrets: described(
    'Secrets that devkit makes for the environment, by their names; values from files and the environment, never shown.',
    v.optional(secretsSchema, {}),
  ),
  ignore: described(
    "Patterns below the config's directory that are neither watched nor synced, written as in a .gitignore.",
    v.optional(texts, []),
  ),
  profiles: described(
    'What is laid over the production manifests, by the name that `--profile` takes; over the shipped one of the same name.',
    v.optional(record(text, profileSchema), {}),
  ),
})

export type UserConfig = v.InferInput<typeof configSchema>
export type Config = v.InferOutput<typeof configSchema>
/** What a config that is a function is told of the run. */
export interface ConfigContext {
  /** The verb, such as `up`. */
  readonly command: string
  readonly profile: string
  /** Name of the environment; `default` unless something says otherwise. */
  readonly env: string
  /** Whether the run is one of a CI system (`CI` in its environment). */
  readonly ci: boolean
}

export type ClusterSpec = Config['cluster']
export type ExistingSpec = v.InferOutput<typeof existingSpec>
export type BuildSpec = v.InferOutput<typeof buildSpec>
export type Restart = v.InferOutput<typeof restart>
export type SyncRun = v.InferOutput<typeof syncRun>
export type SyncRule = v.InferOutput<typeof syncRule>
export type PortSpec = v.InferOutput<typeof portSpec>
export type ServiceSpec = v.InferOutput<typeof serviceSpec>

/** Names that the contract has and this version does not: they get a message of their own instead of "unknown". */
export const notYet: Readonly<Record<string, string>> = {
  'cluster.minikube': 'clusters made by minikube',
}
