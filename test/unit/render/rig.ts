import type { Profile } from '../../../src/config/profile-schema.ts'
import type { KubeObject, Manifest, PodSpec } from '../../../src/lib/objects.ts'
import { podSpecOf } from '../../../src/lib/objects.ts'
import { type TransformInput, transform } from '../../../src/render/transforms/transforms.ts'

/** What transforms go by where nothing is built and nothing synced. */
export function inputFor(profile: Profile, over: Partial<TransformInput> = {}): TransformInput {
  return {
    namespace: 'shop',
    home: undefined,
    profile,
    images: new Map(),
    services: new Map([['web', { workload: 'Deployment/web', container: 'web' }]]),
    programs: new Map(),
    writable: new Map(),
    lease: 'node',
    clusterScoped: ({ kind }) => kind === 'Namespace',
    isForeign: ({ apiVersion }) => apiVersion.startsWith('monitoring.coreos.com/'),
    manifests: [],
    ...over,
  }
}

export function manifestOf(object: KubeObject): Manifest {
  return { object, origin: { file: 'k8s.yaml', line: 1 } }
}

/** A Deployment of one container, `web`, in the namespace that it would be put into. */
export function deployment({ spec, pod, container }: { spec?: object; pod?: object; container?: object } = {}): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { ...spec, template: { spec: { containers: [{ name: 'web', image: 'x/web:1', ...container }], ...pod } } },
  }
}

/** The object under a profile; undefined where it is left out. */
export function under(profile: Profile, object: KubeObject, over?: Partial<TransformInput>): KubeObject | undefined {
  return transform([manifestOf(object)], inputFor(profile, over))[0]?.object
}

/** The pod of a Deployment under a profile. */
export function podUnder(profile: Profile, given: Parameters<typeof deployment>[0], over?: Partial<TransformInput>): PodSpec {
  const made = under(profile, deployment(given), over)
  const pod = made && podSpecOf(made)
  if (!pod) throw new Error('no pod')
  return pod
}
