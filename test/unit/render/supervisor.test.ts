import { expect, test } from 'vitest'
import { applyProfile } from '../../../src/engine/render.ts'
import type { KubeObject, PodSpec } from '../../../src/lib/objects.ts'
import { podSpecOf } from '../../../src/lib/objects.ts'
import type { Plan } from '../../../src/plan/plan.ts'
import { commandOf, hasShellOfNode, isGated, isSupervised, type Program } from '../../../src/render/transforms/supervisor.ts'
import { supervisorScript } from '../../../src/render/transforms/supervisor-script.ts'
import { type TransformInput, transform } from '../../../src/render/transforms/transforms.ts'
import { inputFor, manifestOf } from './rig.ts'

const workload = (container: object): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    template: {
      spec: {
        containers: [
          { name: 'web', image: 'x/web', ...container },
          { name: 'proxy', image: 'x/proxy' },
        ],
        initContainers: [{ name: 'init', image: 'x/web' }],
      },
    },
  },
})

function wrapped(container: object, over: Partial<TransformInput> = {}): PodSpec {
  const input = inputFor({ supervise: true }, { programs: new Map([['web', program]]), ...over })
  const [manifest] = transform([manifestOf(workload(container))], input)
  const pod = manifest && podSpecOf(manifest.object)
  if (!pod) throw new Error('no pod')
  return pod
}
const program: Program = { entrypoint: ['/entry', '$HOME'], cmd: ['serve', '$$1'], shell: 'image' }
const web = (pod: PodSpec) => pod.containers[0] as NonNullable<(typeof pod.containers)[0]>

test('the program of the image runs under the supervisor; other containers and init containers are left alone', () => {
  const pod = wrapped({})
  expect(isSupervised(web(pod))).toBe(true)
  expect(isGated(web(pod))).toBe(true)
  // Kubernetes reads a doubled dollar as one
  expect(commandOf(web(pod))).toEqual(['/entry', '$$HOME', 'serve', '$$$$1'])
  expect(pod.containers[1]).toEqual({ name: 'proxy', image: 'x/proxy' })
  expect(pod.initContainers).toEqual([{ name: 'init', image: 'x/web' }])
  expect((pod['volumes'] as { name: string }[]).map(({ name }) => name)).toEqual(['devkit-own', 'devkit-lease'])
})

test('what the manifest says goes before what the image says', () => {
  expect(commandOf(web(wrapped({ args: ['other'] })))).toEqual(['/entry', '$$HOME', 'other'])
  expect(commandOf(web(wrapped({ command: ['own'] })))).toEqual(['own'])
  expect(commandOf(web(wrapped({ command: ['own'], args: ['$(VALUE)'] })))).toEqual(['own', '$(VALUE)'])
})

test.each([
  ['x86_64', 'ld-linux-x86-64.so.2'],
  ['aarch64', 'ld-linux-aarch64.so.1'],
] as const)('an image without a shell is given its node’s: %s', (architecture, loader) => {
  const programs = new Map([['web', { ...program, shell: architecture }]])
  const pod = wrapped({}, { programs })
  const libraries = `/.devkit/usr/lib/${architecture}-linux-gnu`
  const run = [`${libraries}/${loader}`, '--library-path', libraries]
  const command = web(pod)['command'] as readonly string[]
  expect(command.slice(0, 5)).toEqual([...run, '/.devkit/usr/bin/sh', '-c'])
  expect(command[9]).toBe([...run, '/.devkit/usr/bin/'].join(' '))
  expect(web(pod)['volumeMounts']).toContainEqual({ name: 'devkit-usr', mountPath: '/.devkit/usr', readOnly: true })
  expect(pod['volumes']).toContainEqual({ name: 'devkit-usr', hostPath: { path: '/usr', type: 'Directory' } })
  expect([isSupervised(web(pod)), isGated(web(pod)), hasShellOfNode(web(pod))]).toEqual([true, true, true])
  expect(commandOf(web(pod))).toEqual(commandOf(web(wrapped({}))))
  expect(hasShellOfNode(web(wrapped({})))).toBe(false)
  // where pods have nothing of their node the program runs alone
  expect(wrapped({}, { programs, lease: 'configmap' })).toEqual(podSpecOf(workload({})))
})

test('without a program nothing is changed', () => {
  expect(wrapped({}, { programs: new Map() })).toEqual(podSpecOf(workload({})))
})

test('a namespace that takes no directory of the node gets none, nor does a cluster of somebody else: there the lease is a ConfigMap', () => {
  const lease = (label: string, spec: object = { kind: {} }): object | undefined => {
    const labels = { 'pod-security.kubernetes.io/enforce': label }
    const namespace: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels } }
    const manifests = [namespace, workload({})].map((object) => ({ object, origin: { file: 'k8s.yaml', line: 1 } }))
    const targets = new Map([['web', { workload: 'Deployment/web', container: 'web' }]])
    const plan = { namespace: 'shop', profile: { supervise: true }, cluster: { spec } } as unknown as Plan
    const source = { manifests, home: undefined, targets, syncedInto: new Map() }
    const [, applied] = applyProfile(plan, source, new Map(), new Map([['web', program]]))
    const volumes = applied && (podSpecOf(applied.object)?.['volumes'] as { name: string }[])
    return volumes?.find(({ name }) => name === 'devkit-lease')
  }
  const node = { name: 'devkit-lease', hostPath: { path: '/run/devkit', type: 'DirectoryOrCreate' } }
  const map = { name: 'devkit-lease', configMap: { name: 'devkit-lease', optional: true } }
  expect([lease('privileged'), lease('baseline'), lease('restricted')]).toEqual([node, map, map])
  expect(lease('privileged', { existing: { context: 'theirs' } })).toEqual(map)
})

test('Kubernetes finds nothing to replace in the script', () => {
  expect(supervisorScript).not.toContain('$$')
  // https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/: `$(NAME)` of a variable that does not exist stays as it is
  expect(supervisorScript.match(/\$\([A-Za-z_][A-Za-z0-9_]*\)/g)).toBe(null)
})
