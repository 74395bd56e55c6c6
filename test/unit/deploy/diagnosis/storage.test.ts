import { expect, test } from 'vitest'
import type { Facts, Warning } from '../../../../src/deploy/diagnosis/facts.ts'
import { storage } from '../../../../src/deploy/diagnosis/storage.ts'
import { type KubeObject, nameOf } from '../../../../src/lib/objects.ts'

const agoMs = 30_000
const born = new Date(Date.now() - agoMs).toISOString()
const object = (kind: string, name: string, rest: object = {}): KubeObject => {
  const { metadata, ...fields } = rest as { metadata?: object }
  return { apiVersion: 'v1', kind, metadata: { name, uid: `uid-of-${name}`, creationTimestamp: born, ...metadata }, ...fields }
}
const by = (kind: string, name: string) => ({ ownerReferences: [{ kind, name, uid: `uid-of-${name}`, controller: true }] })
const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }]
const podSpec = { containers: [{ name: 'main', volumeMounts: [{ name: 'data', mountPath: '/data', subPath: 'a/b' }] }], volumes }
const web = object('Deployment', 'web', { spec: { template: { spec: podSpec } } })
const pod = (name: string, status: object, spec: object = {}) =>
  object('Pod', name, {
    metadata: by('ReplicaSet', `${name}-set`),
    spec: { ...podSpec, ...spec },
    status: { phase: 'Pending', ...status },
  })
const waiting = pod('new', {
  conditions: [{ type: 'PodScheduled', reason: 'Unschedulable', status: 'False', lastTransitionTime: born }],
})
const claim = (spec: object, rest: object = {}) =>
  object('PersistentVolumeClaim', 'data', { spec, status: { phase: 'Pending' }, ...rest })
const warning = (reason: string, message: string, count = 1): Warning => {
  return { container: undefined, reason, message, count, from: Date.now() - agoMs, at: Date.now() }
}

/** What is said of Deployment/web in a cluster that holds these. */
function told(
  objects: readonly KubeObject[],
  {
    of = waiting,
    notes = [],
    warnings = [],
  }: { of?: KubeObject; notes?: readonly Warning[]; warnings?: readonly Warning[] } = {},
) {
  const now = Date.now()
  const facts = {
    ...{ now, namespace: 'shop', manifests: [] },
    known: (_: string, kind: string) => objects.filter((one) => one.kind === kind),
    warnings: () => warnings,
    notes: () => notes,
    ends: () => [],
    hasPassed: (since: number, ms: number) => now - since >= ms,
    where: (name: string) => name,
    lacking: () => [],
    onTheirWay: () => [],
    isAnythingOnItsWay: () => false,
  } as unknown as Facts
  const patient = { workload: web, name: nameOf(web), pods: [of], replicaSet: undefined, facts }
  return storage.flatMap((rule) => rule(patient) ?? [])[0]
}

test('a claim without a class where none is the default (READY-165)', () => {
  const standard = object('StorageClass', 'standard', { provisioner: 'x' })
  expect(told([claim({}), standard])).toMatchObject({
    code: 'READY-165',
    severity: 'failure',
    hint: expect.stringContaining('there is standard'),
  })
  const annotations = { 'storageclass.kubernetes.io/is-default-class': 'true' }
  expect(told([claim({}), object('StorageClass', 'standard', { metadata: { annotations }, provisioner: 'x' })])).toBe(undefined)
})

test.each([
  ['failed to prepare subPath for volumeMount "data" of container "main"', 'the subPath a/b of the volume data cannot be had'],
  [
    'error mounting "/x" to rootfs at "/data": not a directory: unknown',
    'of the subPath a/b of the volume data and /data of the image',
  ],
])('a volume that cannot be mounted: %s (READY-171)', (message, said) => {
  const state = { waiting: { reason: 'CreateContainerConfigError', message } }
  const stuck = pod('stuck', { containerStatuses: [{ name: 'main', restartCount: 0, state }] })
  expect(told([claim({}, { status: { phase: 'Bound' } })], { of: stuck })).toMatchObject({
    code: 'READY-171',
    message: expect.stringContaining(said),
  })
})

const used = (metadata: object = {}): readonly KubeObject[] => [
  claim({ accessModes: ['ReadWriteOncePod'] }, { status: { phase: 'Bound' } }),
  object('ReplicaSet', 'old-set', { metadata: by('Deployment', 'web') }),
  object('Pod', 'old', {
    metadata: { ...by('ReplicaSet', 'old-set'), ...metadata },
    spec: { ...podSpec, nodeName: 'one' },
    status: { phase: 'Running' },
  }),
]

test('a claim that the rollout before has (READY-174); one on its way out leaves it', () => {
  expect(told(used())).toMatchObject({
    code: 'READY-174',
    severity: 'failure',
    message: expect.stringContaining('in use by a pod of the rollout before'),
    hint: expect.stringContaining('Recreate'),
  })
  expect(told(used({ deletionTimestamp: born }))).toMatchObject({ severity: 'warning' })
})

test('a disk that another node has (READY-174)', () => {
  const [, ...others] = used()
  const disk = claim({ accessModes: ['ReadWriteOnce'] }, { status: { phase: 'Bound' } })
  const message = 'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) old'
  const placed = pod('new', { conditions: [{ type: 'PodScheduled', status: 'True' }] })
  expect(told([disk, ...others], { of: placed, warnings: [warning('FailedAttachVolume', message)] })).toMatchObject({
    code: 'READY-174',
    evidence: [message],
  })
  expect(told([disk, ...others], { of: placed })).toBe(undefined)
})

test('a volume that its provisioner cannot make (READY-175), and one that is being made', () => {
  const slow = object('StorageClass', 'slow', { provisioner: 'disks.acme.test', volumeBindingMode: 'Immediate' })
  const asks = claim({ storageClassName: 'slow' })
  const failed = warning(
    'ProvisioningFailed',
    'failed to provision volume with StorageClass "slow": rpc error: code = Internal desc = no room',
    3,
  )
  expect(told([asks, slow], { notes: [failed, warning('Provisioning', '')] })).toMatchObject({
    code: 'READY-175',
    severity: 'failure',
    message: expect.stringMatching(/disks\.acme\.test cannot make the volume .*: no room\.$/),
  })
  expect(told([asks, slow], { notes: [warning('ExternalProvisioning', ''), warning('Provisioning', '')] })).toBe(undefined)
})
