import * as v from 'valibot'

/**
 * The whole config language on one page. `UserConfig` is what people write, `Config` what devkit reads.
 * A name here that has no part in `toolbox.ts` does not compile.
 */

/** A DNS label, as namespaces and cluster names need it. https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names */
const label = (longest: number) =>
  v.pipe(
    v.string(),
    v.maxLength(longest, `at most ${longest} characters`),
    v.regex(/^[a-z]([a-z0-9-]*[a-z0-9])?$/, 'lower-case letters, digits and dashes, beginning with a letter'),
  )

const text = v.pipe(v.string(), v.minLength(1, 'some text'))
const texts = v.array(text)
const portNumber = v.pipe(
  v.number(),
  v.integer('a whole number'),
  v.minValue(1, 'a port from 1 to 65535'),
  v.maxValue(65_535, 'a port from 1 to 65535'),
)
const names = v.record(text, v.string())

/** A cluster whose nodes are containers, made by the kind program. */
const kindSpec = v.strictObject({
  /** Image of the nodes; default: the machine's settings file, else the kind program's own. */
  nodeImage: v.optional(text),
})

/** A cluster that somebody else made: devkit only puts its objects into it. */
const existingSpec = v.strictObject({
  /** A context of the kubeconfig (KUBECONFIG, else ~/.kube/config). No other is ever acted on. */
  context: text,
  /** Where built images are pushed for the cluster to pull, such as `localhost:5001`; default: the cluster has them, or can pull them by their own names. */
  registry: v.optional(v.pipe(text, v.regex(/^[^/\s]+(\/[^\s]*)?$/, 'a registry such as localhost:5001'))),
})

const ownCluster = v.strictObject({ kind: kindSpec })
const existingCluster = v.strictObject({ existing: existingSpec })
/** Not a union: one that fits no variant is told what is wrong with the variant that was meant, not with all. */
const clusterSpec = v.lazy((input) =>
  typeof input === 'object' && input !== null && 'existing' in input ? existingCluster : ownCluster,
)

const buildSpec = v.strictObject({
  /** Directory that the build may read, relative to the config file. */
  context: text,
  /** Path of the Dockerfile inside the context. */
  dockerfile: v.optional(text, 'Dockerfile'),
  target: v.optional(text),
  args: v.optional(names, {}),
  /** Patterns below the context, as in a .gitignore: a change of such a file builds again, also where a sync rule covers it. */
  rebuildOn: v.optional(texts, []),
})

/** A program and its arguments; one text is a line for `sh -c`. */
const command = v.union([text, v.pipe(texts, v.minLength(1, 'a program and its arguments'))])

/** What happens to the program after a sync: it reads files anew by itself, or is restarted in place, with its container, by a signal or by a command. */
const restart = v.union([
  v.picklist(['none', 'process', 'container']),
  v.strictObject({ signal: v.pipe(text, v.regex(/^SIG[A-Z0-9]+$/, 'a signal such as SIGHUP')) }),
  v.strictObject({ command }),
])

const syncRun = v.strictObject({
  /** Patterns below `from`, as in a .gitignore: a sync of such a file runs the command in the container, before a restart. */
  paths: v.pipe(texts, v.minLength(1, 'at least one pattern')),
  command,
})

const syncRule = v.strictObject({
  /** File or directory, relative to the config file. */
  from: text,
  /** Absolute path in the container. */
  to: v.pipe(text, v.startsWith('/', 'an absolute path in the container')),
  /** Patterns below `from` that are never synced, as in a .gitignore. */
  ignore: v.optional(texts, []),
  /** Default: inferred from the program that runs, and shown. */
  restart: v.optional(restart),
  run: v.optional(v.array(syncRun), []),
})

const portSpec = v.strictObject({
  /** A port of the service's Service: its name or its number. */
  port: v.union([text, portNumber]),
  /** Port on 127.0.0.1; default: one that devkit picks once and keeps. */
  host: v.optional(portNumber),
})

const serviceSpec = v.strictObject({
  /** The image as it stands in the production manifests, without a tag. */
  image: v.optional(text),
  /** `Kind/name`, where the image alone does not tell which workload is meant. */
  workload: v.optional(v.pipe(text, v.regex(/^[A-Z][A-Za-z]+\/[a-z0-9.-]+$/, 'Kind/name, such as Job/migrate'))),
  build: v.optional(buildSpec),
  sync: v.optional(v.array(syncRule), []),
  ports: v.optional(v.array(portSpec), []),
  /** Services that are ready before this one's workload is applied. */
  dependsOn: v.optional(texts, []),
})

const serviceOverlay = v.strictObject({
  /** Replaces the ENTRYPOINT of the service's container. */
  command: v.optional(texts),
  /** Replaces the CMD of the service's container. */
  args: v.optional(texts),
  /** Added to, or put in place of, the container's variables. */
  env: v.optional(names),
  replicas: v.optional(v.pipe(v.number(), v.integer('a whole number'), v.minValue(0, '0 or more'))),
})

/** What a profile lays over the production manifests. Everything is optional: `production` says nothing. */
export const profileSchema = v.strictObject({
  /** The profile whose values hold where this one is silent. */
  extends: v.optional(text),
  /** Replicas of every Deployment and StatefulSet that has more. */
  maxReplicas: v.optional(v.pipe(v.number(), v.integer('a whole number'), v.minValue(0, '0 or more'))),
  /** `drop` removes CPU limits, which only slow a laptop down; memory limits stay. */
  cpuLimits: v.optional(v.picklist(['keep', 'drop'])),
  /** Share of the CPU and memory requests that is asked for, from 0 to 1. */
  requests: v.optional(v.pipe(v.number(), v.minValue(0, 'from 0 to 1'), v.maxValue(1, 'from 0 to 1'))),
  /** Whether programs of synced services run under a supervisor, which restarts them in place. */
  supervise: v.optional(v.boolean()),
  /**
   * Whether a container that may not write its root (`readOnlyRootFilesystem`) gets a writable copy of what sync rules lead into. Only in
   * clusters whose nodes cannot be entered: elsewhere files come in without it.
   */
  writable: v.optional(v.boolean()),
  services: v.optional(v.record(text, serviceOverlay)),
})

export const configSchema = v.strictObject({
  /** Names the cluster (`devkit-PROJECT`) and the namespace. */
  project: label(40),
  cluster: v.optional(clusterSpec, { kind: {} }),
  /** Files and directories of production manifests, relative to the config file. */
  manifests: v.pipe(v.array(text), v.minLength(1, 'at least one file or directory')),
  services: v.optional(v.record(label(40), serviceSpec), {}),
  /** Patterns below the config's directory that are neither watched nor synced, written as in a .gitignore. */
  ignore: v.optional(texts, []),
  profiles: v.optional(v.record(text, profileSchema), {}),
})

export type UserConfig = v.InferInput<typeof configSchema>
export type Config = v.InferOutput<typeof configSchema>
export type UserProfile = v.InferInput<typeof profileSchema>
export type Profile = v.InferOutput<typeof profileSchema>
export type ClusterSpec = Config['cluster']
export type KindSpec = v.InferOutput<typeof kindSpec>
export type ExistingSpec = v.InferOutput<typeof existingSpec>
export type BuildSpec = v.InferOutput<typeof buildSpec>
export type Restart = v.InferOutput<typeof restart>
export type SyncRun = v.InferOutput<typeof syncRun>
export type SyncRule = v.InferOutput<typeof syncRule>
export type PortSpec = v.InferOutput<typeof portSpec>
export type ServiceSpec = v.InferOutput<typeof serviceSpec>
export type ServiceOverlay = v.InferOutput<typeof serviceOverlay>

/** Names that the contract has and this version does not: they get a message of their own instead of "unknown". */
export const notYet: Readonly<Record<string, string>> = {
  'cluster.minikube': 'clusters made by minikube',
  'manifests.kustomize': 'kustomize sources',
  'manifests.helm': 'Helm charts',
}
