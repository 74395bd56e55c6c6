import { afterAll, beforeAll } from 'vitest'
import { type ApiRig, openApiRig } from '../api-rig.ts'
import { bash, container, deployment, job, object, testFaults, testTwins } from './rig.ts'

let rig: ApiRig

beforeAll(async () => {
  rig = await openApiRig()
}, 120_000)
afterAll(() => rig?.[Symbol.asyncDispose]())

const soon = { withinMs: 12_000 }
const mounted = { volumeMounts: [{ name: 'data', mountPath: '/data' }] }
const claim = (spec: object) =>
  object('v1', 'PersistentVolumeClaim', 'data', {
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
  })
const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }]
const web = deployment(container(mounted), { pod: { volumes } })
const task = job(container(mounted), { pod: { volumes } })
const volume = (spec: object, labels = {}) =>
  object('v1', 'PersistentVolume', 'NAMESPACE', {
    metadata: { labels },
    spec: {
      ...{ storageClassName: 'NAMESPACE', capacity: { storage: '1Mi' }, accessModes: ['ReadWriteOnce'] },
      ...{ persistentVolumeReclaimPolicy: 'Retain', hostPath: { path: '/tmp/NAMESPACE', type: 'DirectoryOrCreate' } },
      ...spec,
    },
  })
const ofClass = { storageClassName: 'NAMESPACE' }
const storageClass = (provisioner: string, volumeBindingMode = 'Immediate') =>
  object('storage.k8s.io/v1', 'StorageClass', 'NAMESPACE', { provisioner, volumeBindingMode })
const hostPath = (path: string, type: string) =>
  deployment(container(mounted), { pod: { volumes: [{ name: 'data', hostPath: { path, type } }] } })
const inMemory = { volumes: [{ name: 'data', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }] }
const filled = bash('dd if=/dev/zero of=/data/big bs=1M count=3')

testFaults(
  () => rig,
  [
    {
      what: 'a class that is misspelt',
      objects: [claim({ storageClassName: 'standrad' }), web],
      code: 'READY-166',
      says: 'Deployment/web cannot start: there is no StorageClass standrad, which its PersistentVolumeClaim data names.',
      hint: 'Write standard instead of standrad in PersistentVolumeClaim/data (k8s/all.yaml:1) (profiles: `storageClasses`).',
      evidence: /StorageClasses of the cluster: .*standard/,
      ...soon,
    },
    {
      what: 'a volume that is too small',
      objects: [volume({}), claim(ofClass), web],
      code: 'READY-167',
      says: 'Deployment/web cannot start: its PersistentVolumeClaim data asks for 1Gi, and the largest free volume of the class NAMESPACE (NAMESPACE) has 1Mi.',
      hint: 'Ask for 1Mi or less in PersistentVolumeClaim/data (k8s/all.yaml:2) (profiles: `maxStorage`), or add a larger PersistentVolume.',
      ...soon,
    },
    {
      what: 'a class of volumes by hand, of which the one is too small',
      objects: [volume({}), storageClass('kubernetes.io/no-provisioner'), claim(ofClass), task],
      code: 'READY-167',
      says: 'Job/task cannot start: its PersistentVolumeClaim data asks for 1Gi, and the largest free volume of the class NAMESPACE (NAMESPACE) has 1Mi.',
      hint: 'Ask for 1Mi or less in PersistentVolumeClaim/data (k8s/all.yaml:3) (profiles: `maxStorage`), or add a larger PersistentVolume.',
      ...soon,
    },
    {
      what: 'an access mode that the volume does not offer',
      objects: [volume({ capacity: { storage: '1Gi' } }), claim({ ...ofClass, accessModes: ['ReadWriteMany'] }), web],
      code: 'READY-168',
      says: 'Deployment/web cannot start: its PersistentVolumeClaim data asks for ReadWriteMany, and the free volumes of the class NAMESPACE offer ReadWriteOnce.',
      hint: 'Ask for ReadWriteOnce in PersistentVolumeClaim/data (k8s/all.yaml:2) (profiles: `accessModes`), or add a PersistentVolume that offers it.',
      ...soon,
    },
    {
      what: 'a class of volumes by hand, of which none is there',
      objects: [storageClass('kubernetes.io/no-provisioner'), claim(ofClass), web],
      code: 'READY-169',
      says: 'Deployment/web cannot start: nothing makes volumes of the class NAMESPACE, and there is none for its PersistentVolumeClaim data.',
      hint: 'Add a PersistentVolume that fits, or name a class that makes volumes in PersistentVolumeClaim/data (k8s/all.yaml:2) (profiles: `storageClasses`).',
      ...soon,
    },
    {
      what: 'a selector that no volume has the labels of',
      objects: [
        volume({ capacity: { storage: '1Gi' } }, { disk: 'slow' }),
        claim({ ...ofClass, selector: { matchLabels: { disk: 'fast' } } }),
        task,
      ],
      code: 'READY-169',
      says: 'Job/task cannot start: none of the free volumes of the class NAMESPACE has the labels that the selector of the PersistentVolumeClaim data asks for.',
      hint: 'Correct PersistentVolumeClaim/data (k8s/all.yaml:2); there is NAMESPACE.',
      ...soon,
    },
    {
      what: 'a class whose provisioner nobody is',
      objects: [storageClass('nobody.devkit.test'), claim(ofClass), web],
      code: 'READY-170',
      severity: 'warning',
      says: 'Deployment/web cannot start: nobody answers for the provisioner nobody.devkit.test of the StorageClass NAMESPACE, which its PersistentVolumeClaim data names.',
      hint: 'Install or start nobody.devkit.test, or name another class in PersistentVolumeClaim/data (k8s/all.yaml:2) (profiles: `storageClasses`).',
      evidence: /external provisioner 'nobody\.devkit\.test'/,
      ...soon,
    },
    {
      what: 'a class whose provisioner nobody is, once a pod is placed',
      objects: [storageClass('nobody.devkit.test', 'WaitForFirstConsumer'), claim(ofClass), task],
      code: 'READY-170',
      says: 'Job/task cannot start: nobody answers for the provisioner nobody.devkit.test of the StorageClass NAMESPACE, which its PersistentVolumeClaim data names.',
      hint: 'Install or start nobody.devkit.test, or name another class in PersistentVolumeClaim/data (k8s/all.yaml:2) (profiles: `storageClasses`).',
      withinMs: 75_000,
    },
    {
      what: 'a directory of the node that is not there',
      objects: [hostPath('/tmp/nothing-here', 'Directory')],
      code: 'READY-172',
      says: 'Deployment/web cannot start: /tmp/nothing-here of the node is not what its volume data asks for (hostPath of type Directory).',
      hint: 'Correct path or type in Deployment/web (k8s/all.yaml:1); `DirectoryOrCreate` makes it. A path is one of the node, not of this machine.',
      evidence: /hostPath type check failed/,
      ...soon,
    },
    {
      what: 'a socket that is a directory',
      objects: [hostPath('/tmp', 'Socket')],
      code: 'READY-172',
      says: 'Deployment/web cannot start: /tmp of the node is not what its volume data asks for (hostPath of type Socket).',
      hint: 'Correct path or type in Deployment/web (k8s/all.yaml:1). A path is one of the node, not of this machine.',
      ...soon,
    },
    {
      what: 'a class that a StatefulSet asks for',
      objects: [
        object('apps/v1', 'StatefulSet', 'db', {
          spec: {
            ...{ selector: { matchLabels: { app: 'db' } }, serviceName: 'db' },
            template: { metadata: { labels: { app: 'db' } }, spec: { containers: [container(mounted)] } },
            volumeClaimTemplates: [
              {
                metadata: { name: 'data' },
                spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'gp3', resources: { requests: { storage: '1Gi' } } },
              },
            ],
          },
        }),
      ],
      code: 'READY-166',
      says: 'StatefulSet/db cannot start: there is no StorageClass gp3, which the claim of its volume data names.',
      hint: 'Write standard instead of gp3 in StatefulSet/db (k8s/all.yaml:1) (profiles: `storageClasses`).',
      ...soon,
    },
    {
      what: 'two access modes of which a Job gets one',
      objects: [
        volume({ capacity: { storage: '1Gi' } }),
        storageClass('kubernetes.io/no-provisioner'),
        claim({ ...ofClass, accessModes: ['ReadWriteOnce', 'ReadOnlyMany'] }),
        task,
      ],
      code: 'READY-168',
      says: 'Job/task cannot start: its PersistentVolumeClaim data asks for ReadWriteOnce and ReadOnlyMany, and the free volumes of the class NAMESPACE offer ReadWriteOnce.',
      hint: 'Ask for ReadWriteOnce in PersistentVolumeClaim/data (k8s/all.yaml:3) (profiles: `accessModes`), or add a PersistentVolume that offers it.',
      ...soon,
    },
    {
      what: 'a subPath below a file',
      objects: [
        object('v1', 'ConfigMap', 'files', { data: { a: 'x' } }),
        deployment(container({ volumeMounts: [{ name: 'data', mountPath: '/data', subPath: 'a/b' }] }), {
          pod: { volumes: [{ name: 'data', configMap: { name: 'files' } }] },
        }),
      ],
      code: 'READY-171',
      says: 'The container main of Deployment/web cannot be created: the subPath a/b of the volume data cannot be had for /data.',
      hint: 'Correct Deployment/web (k8s/all.yaml:2): each part of subPath but the last has to be a directory, the last what mountPath is.',
      ...soon,
    },
    {
      what: 'a directory that is mounted on a file',
      objects: [
        deployment(container({ volumeMounts: [{ name: 'data', mountPath: '/etc/passwd' }] }), {
          pod: { volumes: [{ name: 'data', emptyDir: {} }] },
        }),
      ],
      code: 'READY-171',
      says: 'The container main of Deployment/web cannot be created: of the volume data and /etc/passwd of the image one is a file and one a directory.',
      hint: 'Correct Deployment/web (k8s/all.yaml:1): a file is mounted with `subPath`.',
      ...soon,
    },
    {
      what: 'a volume of one pod that another has',
      objects: [
        claim({ accessModes: ['ReadWriteOncePod'] }),
        deployment(container(mounted), { name: 'first', pod: { volumes } }),
        deployment(container(mounted), { pod: { volumes } }),
      ],
      of: 'Deployment/web',
      code: 'READY-174',
      says: 'Deployment/web cannot start: its PersistentVolumeClaim data (ReadWriteOncePod) is in use by Deployment/first.',
      hint: 'Give Deployment/web (k8s/all.yaml:3) a claim of its own, or ask for ReadWriteMany in PersistentVolumeClaim/data (k8s/all.yaml:1) where the class offers it.',
      withinMs: 25_000,
    },
    {
      what: 'a volume of one pod that a pod of the rollout before has',
      objects: [claim({ accessModes: ['ReadWriteOncePod'] }), web],
      afterwards: async (namespace, { kubectl, kubectlUntil }) => {
        await kubectlUntil(['wait', 'deployment/web', '-n', namespace, '--for=condition=Available', '--timeout=90s'])
        kubectl(['set', 'env', 'deployment/web', '-n', namespace, 'ROUND=2'])
      },
      code: 'READY-174',
      says: 'Deployment/web cannot start: its PersistentVolumeClaim data (ReadWriteOncePod) is in use by a pod of the rollout before.',
      hint: 'Set `strategy: { type: Recreate }` in Deployment/web (k8s/all.yaml:2): the old pod then leaves before the new one comes.',
      withinMs: 25_000,
    },
    {
      what: 'a volume in memory that is full',
      objects: [deployment(container({ ...mounted, ...filled }), { pod: inMemory })],
      code: 'READY-173',
      says: 'The container main of Deployment/web ends because the volume data at /data is full.',
      hint: 'Raise sizeLimit of the volume in Deployment/web (k8s/all.yaml:1), or let the program write less.',
      evidence: /No space left on device/,
      withinMs: 60_000,
    },
    {
      what: 'a volume in memory that an init container fills',
      objects: [
        deployment(container(), { pod: { ...inMemory, initContainers: [container({ name: 'load', ...mounted, ...filled })] } }),
      ],
      code: 'READY-173',
      says: 'The container load of Deployment/web ends because the volume data at /data is full.',
      hint: 'Raise sizeLimit of the volume in Deployment/web (k8s/all.yaml:1), or let the program write less.',
      withinMs: 60_000,
    },
  ],
)

testTwins(
  () => rig,
  [
    { what: 'a claim that waits for its pod to be placed', objects: [claim({}), web] },
    { what: 'a volume that fits', objects: [volume({ capacity: { storage: '2Gi' } }), claim(ofClass), web] },
    { what: 'a directory of the node that is made', objects: [hostPath('/tmp/devkit-made', 'DirectoryOrCreate')] },
    {
      what: 'a volume that comes a moment later',
      objects: [claim(ofClass), web],
      afterwards: async (namespace, { kube, signal }) => {
        const late = JSON.stringify(volume({ capacity: { storage: '2Gi' } })).replaceAll('NAMESPACE', namespace)
        await kube.apply(JSON.parse(late), signal)
      },
    },
  ],
)
