import * as v from 'valibot'
import type { KubeObject } from '../lib/objects.ts'
import { selectorPattern } from '../lib/select.ts'
import { secretsSchema } from './secrets.ts'
import { count, described, names, oneOf, record, text, texts } from './words.ts'

const drop = v.optional(v.picklist(['keep', 'drop']))
const share = v.pipe(v.number(), v.minValue(0, 'from 0 to 1'), v.maxValue(1, 'from 0 to 1'))
const quantity = v.union([
  v.pipe(text, v.regex(/^\d*\.?\d+(m|k|M|G|T|[KMGT]i)?$/, 'a quantity such as 250m or 512Mi')),
  v.pipe(v.number(), v.minValue(0, '0 or more')),
])
const quantities = record(text, quantity)
const amounts = v.strictObject({
  cpu: described('CPUs, such as 250m or 0.5.', v.optional(quantity)),
  memory: described('Bytes, such as 512Mi.', v.optional(quantity)),
})
const selector = v.pipe(
  text,
  v.regex(selectorPattern, 'Kind, Kind/name, group/Kind or a group, such as Job/seed-* or cert-manager.io/Certificate'),
)
/** Why, in words for people; false takes back what a profile below says. */
const reason = v.union([text, v.boolean()])
const replacement = v.union([text, v.literal(false)])
/** A part of an object, as the API has it. */
const part = record(v.string(), v.unknown())

const serviceOverlay = v.strictObject({
  command: described('Replaces the ENTRYPOINT of the container.', v.optional(texts)),
  args: described('Replaces the CMD of the container.', v.optional(texts)),
  env: described(
    'Added to, or put in place of, the variables of the container; null takes one out.',
    v.optional(record(text, v.nullable(v.string()))),
  ),
  envFrom: described(
    'ConfigMaps and Secrets that the container gets variables of too, such as `{ configMapRef: { name: "dev" } }`.',
    v.optional(v.array(part)),
  ),
  resources: described(
    'Requests and limits of the container, laid over what it has.',
    v.optional(
      v.strictObject({
        requests: described('What it asks for.', v.optional(quantities)),
        limits: described('What it may take.', v.optional(quantities)),
      }),
    ),
  ),
  securityContext: described('Laid over the security context of the container.', v.optional(part)),
  replicas: described('How many pods there are.', v.optional(count)),
})

const probeTiming = v.strictObject({
  patience: described(
    'How many times as long it may fail before the container is ended.',
    v.optional(v.pipe(v.number(), v.minValue(1, '1 or more'))),
  ),
  every: described(
    'Seconds between two looks, where there are more; a start may take as long as before.',
    v.optional(v.pipe(count, v.minValue(1, '1 or more'))),
  ),
})
const noProbe = v.picklist(['drop'])
const probe = oneOf([noProbe, probeTiming], (input) => (typeof input === 'string' ? noProbe : probeTiming))

const scheduling = v.strictObject({
  affinity: described('`prefer`: what is required becomes what is preferred.', v.optional(v.picklist(['keep', 'prefer']))),
  topologySpread: described(
    '`prefer`: pods that cannot be spread are scheduled anyway.',
    v.optional(v.picklist(['keep', 'prefer'])),
  ),
  nodes: described('`drop`: no node is chosen by label or by name, but for its system and architecture.', drop),
  tolerations: described('`drop`: no taint of production nodes is tolerated; DaemonSets keep theirs.', drop),
  priority: described('`drop`: no priority class, but for those of the system.', drop),
  runtime: described('`drop`: neither a runtime class nor a scheduler of its own.', drop),
})

const selectorFields = v.strictObject({
  kind: described('Their kind.', v.optional(text)),
  name: described('Their name.', v.optional(text)),
  group: described("Their API group, without the version; that of Kubernetes' core is an empty text.", v.optional(v.string())),
  labels: described('Labels that they have themselves.', v.optional(names)),
})
const objectSelector = oneOf([selector, selectorFields], (input) => (typeof input === 'string' ? selector : selectorFields))

const operation = v.strictObject({
  op: described('What is done.', v.picklist(['add', 'remove', 'replace', 'move', 'copy', 'test'])),
  path: described('Where, such as /spec/replicas.', v.pipe(v.string(), v.regex(/^(\/|$)/, 'a path such as /spec/replicas'))),
  from: described('Where it is taken from, of `move` and `copy`.', v.optional(v.string())),
  value: described('What is put there, of `add` and `replace`; what has to be there, of `test`.', v.optional(v.unknown())),
})

const patch = v.pipe(
  v.strictObject({
    name: described('A later profile that says a patch of this name puts it in its place.', v.optional(text)),
    select: described('The objects: `Kind/name` or names, labels and the like; `*` stands for any letters.', objectSelector),
    merge: described("A part of the object, merged as kubectl's strategic merge patch does.", v.optional(part)),
    patch: described('Operations of a JSON Patch (RFC 6902).', v.optional(v.array(operation))),
  }),
  v.check(({ merge, patch: operations }) => merge === undefined || operations === undefined, 'either `merge` or `patch`'),
)

type ObjectChange = (object: KubeObject) => KubeObject | undefined
const objectChange = v.custom<ObjectChange>((value) => typeof value === 'function', 'a function of an object')

/** What a profile lays over the production manifests. Everything is optional: `production` says nothing. */
export const profileSchema = v.strictObject({
  extends: described(
    'The profile whose values hold where this one is silent, or several: of two that speak the later one holds.',
    v.optional(v.union([text, texts])),
  ),
  skip: described(
    'Objects that are left out (`Kind`, `Kind/name`, `group/Kind`, a group; `*` for any letters) and why; false keeps what another profile leaves out.',
    v.optional(record(selector, reason)),
  ),
  foreignKinds: described(
    '`skip` leaves out objects of kinds that a new cluster has not and no CRD of the manifests brings, in clusters that devkit makes.',
    v.optional(v.picklist(['keep', 'skip'])),
  ),
  skipContainers: described(
    'Containers and init containers that are left out, by name, and why. The last container of a pod stays.',
    v.optional(record(text, reason)),
  ),
  images: described(
    'Images that stand in for others: as it stands in the manifests, or without tag → the one to run; false takes it back.',
    v.optional(record(text, replacement)),
  ),
  imagePullSecrets: described(
    '`drop` removes them, `needed` only where all images of the pod are built here.',
    v.optional(v.picklist(['keep', 'needed', 'drop'])),
  ),
  maxReplicas: described('Replicas of every Deployment and StatefulSet that has more.', v.optional(count)),
  cpuLimits: described('`drop` removes CPU limits, which only slow a laptop down.', drop),
  memoryLimits: described('`drop` removes memory limits.', drop),
  devices: described('`drop` removes what only special nodes have, such as `nvidia.com/gpu` or huge pages.', drop),
  requests: described('Share of the CPU and memory requests that is asked for, from 0 to 1.', v.optional(share)),
  maxRequests: described('CPU and memory that a container asks for at most.', v.optional(amounts)),
  probes: described(
    'How patient probes are and how often they look; `drop` removes them.',
    v.optional(
      v.strictObject({
        startup: described('Those that a container has to pass once.', v.optional(probe)),
        liveness: described('Those that end a container which fails them.', v.optional(probe)),
        readiness: described('Those that keep requests from a pod.', v.optional(probe)),
      }),
    ),
  ),
  scheduling: described('What pods ask of nodes.', v.optional(scheduling)),
  storageClasses: described(
    "Storage class of the manifests, or `*` for all others → class to use, `(default)` for the cluster's own; claims of a certain volume are left alone.",
    v.optional(record(text, replacement)),
  ),
  accessModes: described(
    'Access mode of claims → the one to ask for, such as ReadWriteOnce where nodes cannot share volumes.',
    v.optional(record(text, replacement)),
  ),
  maxStorage: described('Size of every claim that asks for more.', v.optional(quantity)),
  hosts: described(
    'Host names of Ingresses, Gateways and their routes → the local ones; `*.example.com` stands for all below it. Variables and ConfigMaps that name them keep their values.',
    v.optional(record(text, replacement)),
  ),
  serviceTypes: described(
    'Type of Services → the one to use. What the config names under `ports` is reachable whatever the type.',
    v.optional(record(v.picklist(['LoadBalancer', 'NodePort']), v.picklist(['LoadBalancer', 'NodePort', 'ClusterIP']))),
  ),
  maxGraceSeconds: described(
    'Seconds that pods get to end, at most, and no waiting for load balancers before; StatefulSets and pods with a hook that does something keep theirs.',
    v.optional(count),
  ),
  minReadySeconds: described(
    '`drop`: a pod counts as available as soon as it is ready; production waits to see it fail before it replaces the next.',
    drop,
  ),
  recreate: described(
    '`claims`: a Deployment of one pod with a claim that only one node may write ends it before it starts the next.',
    v.optional(v.picklist(['never', 'claims'])),
  ),
  services: described('What is laid over single services, by their names.', v.optional(record(text, serviceOverlay))),
  secrets: described('What is laid over the Secrets of the config, or added to them.', v.optional(secretsSchema)),
  patches: described(
    'Merges and JSON patches for what no other word says, in their order; those of a profile come after those that it extends.',
    v.optional(v.array(patch)),
  ),
  transform: described(
    'For what data cannot say: a pure function of each object, or several. Undefined leaves the object out.',
    v.optional(v.union([objectChange, v.array(objectChange)])),
  ),
  supervise: described(
    'Whether programs of synced services run under a supervisor, which restarts them in place.',
    v.optional(v.boolean()),
  ),
  writable: described(
    'Whether a container that may not write its root (`readOnlyRootFilesystem`) gets a writable copy of what sync rules lead into. Only in clusters whose nodes cannot be entered: elsewhere files come in without it.',
    v.optional(v.boolean()),
  ),
})

export type UserProfile = v.InferInput<typeof profileSchema>
export type Profile = v.InferOutput<typeof profileSchema>
export type ServiceOverlay = v.InferOutput<typeof serviceOverlay>
export type ProbeChange = v.InferOutput<typeof probe>
export type Patch = v.InferOutput<typeof patch>
export type PatchOperation = v.InferOutput<typeof operation>
