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
  'CONFIG-203': { summary: 'where devkit keeps its own files the disk is nearly full', exit: 1 },
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
  'ENGINE-104': { summary: 'the container engine has no disk space left', exit: 1 },
  'ENGINE-105': { summary: 'the clock of the container engine or of the cluster is off', exit: 1 },
  'ENGINE-106': { summary: 'the machine of the container engine is small', exit: 1 },
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
  'CLUSTER-114': { summary: 'a node is not ready', exit: 1 },
  'CLUSTER-115': { summary: 'the cluster does not run', exit: 1 },
  'CLUSTER-116': { summary: 'a node is short of disk, memory or processes', exit: 1 },
  'CLUSTER-117': { summary: 'a part of the cluster itself does not work', exit: 1 },
  'CLUSTER-118': { summary: 'a node takes no new pods', exit: 1 },
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
  'READY-107': { summary: 'an object says that it cannot become ready', exit: 1 },
  'READY-140': { summary: 'a container is killed again and again for its liveness probe', exit: 1 },
  'READY-141': { summary: 'a probe finds nothing that listens', exit: 1 },
  'READY-142': { summary: 'a probe asks a path that the program does not have', exit: 1 },
  'READY-143': { summary: 'a probe is answered with an error', exit: 1 },
  'READY-144': { summary: 'a probe is not answered in time', exit: 1 },
  'READY-145': { summary: 'a probe speaks another protocol than its port', exit: 1 },
  'READY-146': { summary: 'a startup probe gives less time than the program takes', exit: 1 },
  'READY-147': { summary: 'a probe names a port that its container does not have', exit: 1 },
  'READY-148': { summary: 'the command of a probe fails', exit: 1 },
  'READY-149': { summary: 'a readiness gate is not met', exit: 1 },
  'READY-157': { summary: 'a program asks for a host that no Service answers', exit: 1 },
  'READY-158': { summary: 'a Service selects no pod', exit: 1 },
  'READY-159': { summary: 'a Service leads to a port that nothing listens at', exit: 1 },
  'READY-160': { summary: 'a Service names a port that no container has', exit: 1 },
  'READY-176': { summary: 'no node has so many CPUs free', exit: 1 },
  'READY-177': { summary: 'no node has so much memory free', exit: 1 },
  'READY-178': { summary: 'no node has the labels of a nodeSelector', exit: 1 },
  'READY-179': { summary: 'no node fits a required node affinity', exit: 1 },
  'READY-180': { summary: 'affinity between pods leaves no node', exit: 1 },
  'READY-181': { summary: 'a taint is not tolerated', exit: 1 },
  'READY-182': { summary: 'topology spread constraints leave no node', exit: 1 },
  'READY-183': { summary: 'a host port is taken', exit: 1 },
  'READY-184': { summary: 'a node is cordoned', exit: 1 },
  'READY-185': { summary: 'no node is ready to take a pod', exit: 1 },
  'READY-186': { summary: 'a volume is only on other nodes', exit: 1 },
  'READY-187': { summary: 'a node runs as many pods as it may', exit: 1 },
  'READY-188': { summary: 'a scheduling gate holds a pod', exit: 1 },
  'READY-189': { summary: 'no node has a resource that a pod asks for', exit: 1 },
  'READY-200': { summary: 'a Job failed as often as it may', exit: 1 },
  'READY-201': { summary: 'a Job took longer than its deadline', exit: 1 },
  'READY-202': { summary: 'a Job runs much longer than usual', exit: 1 },
  'READY-203': { summary: 'an init container fails', exit: 1 },
  'READY-204': { summary: 'an init container does not end', exit: 1 },
  'READY-205': { summary: 'a container keeps a Job from ending', exit: 1 },
  'READY-206': { summary: 'a CronJob does not do its work', exit: 1 },
  'READY-207': { summary: 'a pod failure policy ended a Job', exit: 1 },
  'READY-210': { summary: 'a pod was evicted: its node was short of disk', exit: 1 },
  'READY-211': { summary: 'a pod was evicted: its node was short of memory', exit: 1 },
  'READY-212': { summary: 'a pod was evicted: it took more disk than it may', exit: 1 },
  'READY-213': { summary: 'the node of a pod does not answer', exit: 1 },
  'READY-214': { summary: 'a node is short of something and takes no pods', exit: 1 },
  'READY-215': { summary: 'a pod had to make room for a more important one', exit: 1 },
  'READY-216': { summary: 'the sandbox of a pod cannot be created', exit: 1 },
  'READY-217': { summary: 'a pod ended with its node', exit: 1 },
  'READY-218': { summary: 'no such scheduler is at work', exit: 1 },
  'READY-150': { summary: 'a ConfigMap is missing', exit: 1 },
  'READY-151': { summary: 'a Secret is missing', exit: 1 },
  'READY-152': { summary: 'a key is missing in a ConfigMap or Secret', exit: 1 },
  'READY-153': { summary: 'a ServiceAccount is missing', exit: 1 },
  'READY-154': { summary: 'a PersistentVolumeClaim is missing', exit: 1 },
  'READY-155': { summary: 'the Secret to pull images with is missing', exit: 1 },
  'READY-156': { summary: 'a PriorityClass is missing', exit: 1 },
  'READY-162': { summary: 'a RuntimeClass is missing', exit: 1 },
  'READY-165': { summary: 'a claim names no storage class and there is no default one', exit: 1 },
  'READY-166': { summary: 'a storage class does not exist', exit: 1 },
  'READY-167': { summary: 'no volume is large enough for a claim', exit: 1 },
  'READY-168': { summary: 'no volume offers the access mode of a claim', exit: 1 },
  'READY-169': { summary: 'no volume fits a claim', exit: 1 },
  'READY-170': { summary: 'nobody makes the volumes of a storage class', exit: 1 },
  'READY-171': { summary: 'a volume cannot be mounted where a container wants it', exit: 1 },
  'READY-172': { summary: 'a path of the node is not what a volume asks for', exit: 1 },
  'READY-173': { summary: 'a volume is full', exit: 1 },
  'READY-174': { summary: 'a volume is in use by another pod', exit: 1 },
  'READY-175': { summary: 'a volume cannot be made', exit: 1 },
  'READY-190': { summary: 'a quota leaves no room for a pod', exit: 1 },
  'READY-191': { summary: 'a LimitRange does not allow the resources of a pod', exit: 1 },
  'READY-192': { summary: 'Pod Security forbids a pod', exit: 1 },
  'READY-193': { summary: 'an admission webhook or policy refuses a pod', exit: 1 },
  'READY-194': { summary: 'an admission webhook that pods need does not answer', exit: 1 },
  'READY-195': { summary: 'the API server refuses a pod', exit: 1 },
  'READY-110': { summary: 'the name of an image is no name', exit: 1 },
  'READY-111': { summary: 'a registry cannot be reached', exit: 1 },
  'READY-112': { summary: 'a registry wants a login', exit: 1 },
  'READY-113': { summary: 'an image is not for this processor', exit: 1 },
  'READY-114': { summary: 'an image may not be pulled and is not on the node', exit: 1 },
  'READY-115': { summary: 'an image that is on the node is asked of a registry that has it not', exit: 1 },
  'READY-116': { summary: 'a registry answers with errors', exit: 1 },
  'READY-117': { summary: 'an image cannot be unpacked', exit: 1 },
  'READY-120': { summary: 'a command is not in its image', exit: 1 },
  'READY-121': { summary: 'a command may not be executed', exit: 1 },
  'READY-122': { summary: 'a command is not for this processor, or no program', exit: 1 },
  'READY-123': { summary: 'a container that is to keep running ends with 0', exit: 1 },
  'READY-124': { summary: 'a container needs more memory than it may have', exit: 1 },
  'READY-125': { summary: 'a program writes where everything is read-only', exit: 1 },
  'READY-126': { summary: 'a program may not use what it needs', exit: 1 },
  'READY-127': { summary: 'a library is not in its image', exit: 1 },
  'READY-128': { summary: 'a container is to run as non-root and would run as root', exit: 1 },
  'READY-129': { summary: 'a container is killed by a signal', exit: 1 },
  'READY-130': { summary: 'a port is in use already', exit: 1 },
  'READY-131': { summary: 'a postStart hook fails', exit: 1 },
  'READY-132': { summary: 'what a program starts in or by is not there', exit: 1 },
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
