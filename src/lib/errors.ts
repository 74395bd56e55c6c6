/** One row per problem code. Codes never change meaning; docs and tests are made from this table. */
export interface ProblemKind {
  /** What the code means, in one sentence without a full stop. */
  readonly summary: string
  /** Exit code of the run: 2 when usage, config or manifests are wrong and nothing was touched, else 1. */
  readonly exit: 1 | 2
}

/** All problem codes by area. A new failure gets a new row here before it can be thrown. */
export const problems = {
  'CONFIG-001': { summary: 'the command line is wrong', exit: 2 },
  'CONFIG-101': { summary: 'no devkit config was found', exit: 2 },
  'CONFIG-102': { summary: 'the config file cannot be loaded', exit: 2 },
  'CONFIG-103': { summary: 'the config has wrong values', exit: 2 },
  'CONFIG-104': { summary: 'the profile does not exist', exit: 2 },
  'CONFIG-105': { summary: 'the config names something that this version cannot do yet', exit: 2 },
  'CONFIG-106': { summary: 'the config takes a slower way to be loaded', exit: 2 },
  'CONFIG-201': { summary: 'the machine settings file is wrong', exit: 2 },
  'CONFIG-202': { summary: 'devkit cannot write where it keeps its own files', exit: 1 },
  'PLAN-101': { summary: 'a named service does not exist', exit: 2 },
  'PLAN-102': { summary: 'services depend on each other in a loop', exit: 2 },
  'PLAN-103': { summary: 'the environment belongs to another directory', exit: 2 },
  'PLAN-104': { summary: 'an image named in the config is in no manifest', exit: 2 },
  'PLAN-105': { summary: 'a port named in the config is in no manifest', exit: 2 },
  'PLAN-106': { summary: 'a workload named in the config is in no manifest', exit: 2 },
  'PLAN-107': { summary: 'the manifests ask for another namespace than the environment owns', exit: 2 },
  'ENGINE-101': { summary: 'no container engine answers', exit: 1 },
  'ENGINE-102': { summary: 'the container engine refuses this user', exit: 1 },
  'ENGINE-103': { summary: 'the container engine failed', exit: 1 },
  'CLUSTER-101': { summary: 'the kind program is missing', exit: 1 },
  'CLUSTER-102': { summary: 'the cluster could not be created', exit: 1 },
  'CLUSTER-103': { summary: 'a cluster of that name was not made by devkit', exit: 1 },
  'CLUSTER-104': { summary: 'the cluster does not answer', exit: 1 },
  'CLUSTER-105': { summary: 'the cluster could not be removed', exit: 1 },
  'CLUSTER-106': { summary: 'the node image cannot be had', exit: 1 },
  'CLUSTER-107': { summary: 'what holds data would be removed, and nobody said yes', exit: 1 },
  'CLUSTER-108': { summary: 'another run of devkit works on the environment', exit: 1 },
  'CLUSTER-110': { summary: 'a node did not take the registry mirrors', exit: 1 },
  'CLUSTER-111': { summary: 'the context that the config names is in no kubeconfig', exit: 2 },
  'CLUSTER-112': { summary: 'the cluster runs another version of Kubernetes than the config says', exit: 1 },
  'CLUSTER-113': { summary: 'the cluster does not allow this user what it takes', exit: 1 },
  'BUILD-101': { summary: 'the Dockerfile does not exist', exit: 2 },
  'BUILD-102': { summary: 'the image does not build', exit: 1 },
  'BUILD-103': { summary: 'the build context does not exist', exit: 2 },
  'BUILD-104': { summary: 'the buildx program is missing', exit: 1 },
  'IMAGE-101': { summary: 'an image could not be delivered to a node', exit: 1 },
  'IMAGE-102': { summary: 'an image could not be pushed to the registry', exit: 1 },
  'RENDER-101': { summary: 'a manifest is not valid YAML', exit: 2 },
  'RENDER-102': { summary: 'a manifest is not a Kubernetes object', exit: 2 },
  'RENDER-103': { summary: 'a manifest source does not exist, is empty or cannot be read', exit: 2 },
  'RENDER-104': { summary: 'an object is defined twice', exit: 2 },
  'RENDER-105': { summary: 'a program that renders manifests is missing', exit: 1 },
  'RENDER-106': { summary: 'a program that renders manifests failed', exit: 2 },
  'RENDER-107': { summary: 'parameters of a template are wrong', exit: 2 },
  'RENDER-109': { summary: 'a rule of the profile does not fit an object', exit: 2 },
  'RENDER-110': { summary: 'a sync wave or the weight of a hook is no whole number', exit: 2 },
  'RENDER-201': { summary: 'a manifest refers to something that nothing provides', exit: 2 },
  'RENDER-202': { summary: 'a manifest names a port that is not there', exit: 2 },
  'RENDER-203': { summary: 'a selector fits no pod', exit: 2 },
  'RENDER-204': { summary: 'an API version is gone or will go', exit: 2 },
  'RENDER-205': { summary: 'nothing brings a kind into the cluster', exit: 2 },
  'RENDER-206': { summary: 'nothing in the cluster serves what a manifest asks for', exit: 2 },
  'RENDER-207': { summary: 'the pods ask for more than the node has', exit: 2 },
  'RENDER-208': { summary: 'an image of the manifests is in no service of the config', exit: 2 },
  'SECRET-101': { summary: 'a secret has no value', exit: 2 },
  'SECRET-102': { summary: 'the value of a secret is not of its type', exit: 2 },
  'SECRET-103': { summary: 'a source of secrets cannot be read', exit: 2 },
  'SECRET-104': { summary: 'the cluster does not let its Secret be read', exit: 1 },
  'APPLY-101': { summary: 'the API server refuses a manifest', exit: 2 },
  'APPLY-102': { summary: 'somebody else owns a field', exit: 1 },
  'APPLY-103': { summary: 'the cluster does not know a kind', exit: 2 },
  'APPLY-104': { summary: 'the API server failed', exit: 1 },
  'APPLY-105': { summary: 'an object cannot be changed as asked', exit: 1 },
  'APPLY-106': { summary: 'an admission webhook does not answer', exit: 1 },
  'APPLY-111': { summary: 'what was applied for the environment is not written down in a way that can be read', exit: 1 },
  'APPLY-112': { summary: 'an object that is deleted does not go', exit: 1 },
  'READY-101': { summary: 'a container ends again and again', exit: 1 },
  'READY-102': { summary: 'a workload is not ready in time', exit: 1 },
  'READY-103': { summary: 'a Job failed', exit: 1 },
  'READY-104': { summary: 'image not found', exit: 1 },
  'READY-105': { summary: 'no node can take a pod', exit: 1 },
  'READY-106': { summary: 'a container cannot be created', exit: 1 },
  'SYNC-101': { summary: 'the stream into a node failed', exit: 1 },
  'SYNC-102': { summary: 'a file could not be synced', exit: 1 },
  'SYNC-103': { summary: 'the watch limit of the machine is reached', exit: 1 },
  'SYNC-104': { summary: 'a container has no room for a file', exit: 1 },
  'SYNC-105': { summary: 'a file system in a container is read-only', exit: 1 },
  'SYNC-106': { summary: 'a container may not write a file', exit: 1 },
  'SYNC-107': { summary: 'a program cannot be restarted in place', exit: 1 },
  'SYNC-108': { summary: 'a file in a container is written over in place', exit: 1 },
  'SYNC-109': { summary: 'a removed directory stays in a container', exit: 1 },
  'SYNC-110': { summary: 'an image has not what sending files through the cluster takes', exit: 1 },
  'SYNC-111': { summary: 'the cluster does not allow commands in containers', exit: 1 },
  'SYNC-112': { summary: 'a command that follows a sync failed', exit: 1 },
  'SYNC-113': { summary: 'a directory of the working tree cannot be read', exit: 1 },
  'SYNC-114': { summary: 'what a sync rule begins at does not exist', exit: 1 },
  'SYNC-115': { summary: 'a file system does not tell of every change', exit: 1 },
  'PORT-101': { summary: 'a port of this machine is taken', exit: 1 },
  'PORT-102': { summary: 'the cluster has no host port for a service', exit: 1 },
  'INTERNAL-001': { summary: 'a defect in devkit', exit: 1 },
  'INTERNAL-002': { summary: 'the run took longer than --timeout', exit: 1 },
} as const satisfies Record<string, ProblemKind>

/** A permanent name of a problem: `AREA-NNN`. */
export type ProblemCode = keyof typeof problems

/** What a problem says: to the person (message, hint), to the one who digs (detail, cause). */
export interface ProblemText {
  /** What happened and why, one sentence or more. */
  readonly message: string
  /** What to do next, verb first. */
  readonly hint: string
  /** Output of the tool or server behind it, several lines. */
  readonly detail?: string | undefined
  readonly service?: string | undefined
  /** The Kubernetes object, as `Kind/name`. */
  readonly object?: string | undefined
  /** The rule of the profile, such as `patches.0`. */
  readonly rule?: string | undefined
  readonly cause?: unknown
}

/** A failure that its reader can act on. Anything else that is thrown is a defect in devkit. */
export class DevkitError extends Error {
  readonly code: ProblemCode
  readonly hint: string
  readonly detail: string | undefined
  readonly service: string | undefined
  readonly object: string | undefined
  readonly rule: string | undefined

  constructor(code: ProblemCode, text: ProblemText) {
    super(text.message, text.cause === undefined ? undefined : { cause: text.cause })
    this.name = 'DevkitError'
    this.code = code
    this.hint = text.hint
    this.detail = text.detail
    this.service = text.service
    this.object = text.object
    this.rule = text.rule
  }
}

/** Problems of manifests as one: a single one as it is, several each with its own hint where they are not all the same. */
export function asOne(problems: readonly DevkitError[]): DevkitError | undefined {
  const [first, ...others] = problems
  if (!first || others.length === 0) return first
  const isSame = others.every(({ hint }) => hint === first.hint)
  const lines = problems.map(({ code, message, hint }) => (isSame ? message : `${message} (${code})\n  → ${hint}`))
  return new DevkitError(first.code, {
    message: `${problems.length} problems in the manifests:\n${lines.join('\n')}`,
    hint: isSame ? first.hint : 'Mend them all: nothing was touched.',
  })
}

/** The run was ended from outside (Ctrl-C, SIGTERM, a closed terminal). Not a problem: nothing is reported, exit code 130. */
export class Interrupted extends Error {
  constructor(reason: string) {
    super(reason)
    this.name = 'Interrupted'
  }
}

/** The message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** For the `default` of a switch that has handled every variant: a new variant does not compile. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`)
}
