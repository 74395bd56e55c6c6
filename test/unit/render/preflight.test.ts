import { expect, test } from 'vitest'
import { servicesIn } from '../../../src/lib/hosts.ts'
import type { Manifest } from '../../../src/lib/objects.ts'
import { amountOf } from '../../../src/lib/quantity.ts'
import { capabilitiesOf } from '../../../src/render/capabilities.ts'
import { tooMuch } from '../../../src/render/preflight/capacity.ts'
import { failureOf } from '../../../src/render/preflight/finding.ts'
import { preflight } from '../../../src/render/preflight/preflight.ts'
import { type PreflightInput, stackOf } from '../../../src/render/preflight/stack.ts'
import { manifestsOf, readManifests } from '../../../src/render/read.ts'
import { serviceTargets } from '../../../src/render/references.ts'

async function read(yaml: string): Promise<readonly Manifest[]> {
  return manifestsOf([await readManifests(Buffer.from(yaml), 'a.yaml')])
}

const inputOf = (all: readonly Manifest[], over: Partial<PreflightInput> = {}): PreflightInput => ({
  manifests: all,
  sources: all,
  namespace: 'shop',
  capabilities: capabilitiesOf('1.34', all),
  own: true,
  images: [],
  ...over,
})

const findings = async (yaml: string, over?: Partial<PreflightInput>) => preflight(inputOf(await read(yaml), over))

/** A Deployment whose container, pod and spec have these lines beside what is needed. */
const web = (container = '', pod = '', spec = ''): string => `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
${indent(spec, 2)}  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
${indent(pod, 6)}      containers:
      - name: main
        image: registry.example.com/shop/web:1
        ports: [{name: http, containerPort: 8000}, {name: metrics, containerPort: 9000}]
${indent(container, 8)}`

function indent(text: string, by: number): string {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => `${' '.repeat(by)}${line}\n`)
    .join('')
}

const service =
  'apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}\n'
const all = (...documents: readonly string[]): string => documents.join('---\n')

interface Trap {
  readonly what: string
  readonly yaml: string
  /** The mend: each text and what stands in its place. With it nothing is found. */
  readonly mend: readonly (readonly [string, string])[]
  readonly severity: 'failure' | 'warning'
  readonly code: string
  readonly says: RegExp
  readonly hint?: RegExp
  readonly over?: Partial<PreflightInput>
}

const configMap = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web-env}\ndata: {url: a, LOG_LEVEL: debug}\n'
const secret = 'apiVersion: v1\nkind: Secret\nmetadata: {name: web-keys}\nstringData: {token: a}\ndata: {old: YQ==}\n'

const gatewayKinds =
  'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: httproutes.gateway.networking.k8s.io}\nspec: {group: gateway.networking.k8s.io, scope: Namespaced, names: {kind: HTTPRoute}, versions: [{name: v1}]}\n'
const route = (backend: string): string =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: web}\nspec: {rules: [{backendRefs: [${backend}, {kind: Bucket, name: gone}]}]}\n`

const traps: readonly Trap[] = [
  {
    what: 'a ConfigMap in envFrom',
    yaml: all(configMap, web('envFrom: [{configMapRef: {name: wep-env}}]')),
    mend: [['wep-env', 'web-env']],
    severity: 'failure',
    code: 'RENDER-201',
    says: /^a\.yaml:18: Deployment\/web: ConfigMap wep-env is referenced by main\/envFrom, nothing provides it\.$/,
    hint: /^Did you mean web-env\? Else add the ConfigMap/,
  },
  {
    what: 'a Secret in envFrom',
    yaml: web('envFrom:\n- secretRef:\n    name: web-env'),
    mend: [['    name: web-env', '    name: web-env\n            optional: true']],
    severity: 'failure',
    code: 'RENDER-201',
    says: /^a\.yaml:15: Deployment\/web: Secret web-env is referenced by main\/envFrom/,
    hint: /^Add the Secret to the manifests, name it in `secrets` of the config, or/,
  },
  {
    what: 'a key of a ConfigMap',
    yaml: all(configMap, web('env:\n- name: URL\n  valueFrom: {configMapKeyRef: {name: web-env, key: urll}}')),
    mend: [['urll', 'url']],
    severity: 'failure',
    code: 'RENDER-201',
    says: /the key urll of ConfigMap web-env is referenced by main\/env URL, nothing/,
    hint: /Did you mean url\?/,
  },
  {
    what: 'a key of a Secret, from an init container',
    yaml: all(
      secret,
      web(
        '',
        'initContainers:\n- name: first\n  image: a:1\n  env: [{name: T, valueFrom: {secretKeyRef: {name: web-keys, key: tokn}}}]',
      ),
    ),
    mend: [['tokn', 'token']],
    severity: 'failure',
    code: 'RENDER-201',
    says: /the key tokn of Secret web-keys is referenced by first\/env T/,
  },
  {
    what: 'a ConfigMap that is mounted',
    yaml: all(configMap, web('', 'volumes: [{name: conf, configMap: {name: nginx}}]')),
    mend: [['name: nginx', 'name: web-env']],
    severity: 'failure',
    code: 'RENDER-201',
    says: /ConfigMap nginx is referenced by volume conf/,
  },
  {
    what: 'a key of a Secret that is mounted, projected',
    yaml: all(
      secret,
      web(
        '',
        'volumes: [{name: all, projected: {sources: [{secret: {name: web-keys, items: [{key: crt, path: a}]}}, {configMap: {name: kube-root-ca.crt}}]}}]',
      ),
    ),
    mend: [['key: crt', 'key: old']],
    severity: 'failure',
    code: 'RENDER-201',
    says: /the key crt of Secret web-keys is referenced by volume all/,
  },
  {
    what: 'a claim',
    yaml: all(
      'apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: media}\nspec: {accessModes: [ReadWriteOnce], storageClassName: standard}\n',
      web('', 'volumes: [{name: media, persistentVolumeClaim: {claimName: medias}}]'),
    ),
    mend: [['claimName: medias', 'claimName: media']],
    severity: 'failure',
    code: 'RENDER-201',
    says: /PersistentVolumeClaim medias is referenced by volume media/,
    hint: /media\?/,
  },
  {
    what: 'a storage class',
    yaml: all(
      'apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: media}\nspec: {accessModes: [ReadWriteOnce], storageClassName: gp2}\n',
      web('', 'volumes: [{name: media, persistentVolumeClaim: {claimName: media}}]'),
    ),
    mend: [['gp2', 'standard']],
    severity: 'failure',
    code: 'RENDER-201',
    says: /PersistentVolumeClaim\/media: StorageClass gp2 is referenced by storageClassName/,
    hint: /storageClasses/,
  },
  {
    what: 'a ServiceAccount',
    yaml: web('', 'serviceAccountName: robot'),
    mend: [['robot', 'default']],
    severity: 'failure',
    code: 'RENDER-201',
    says: /ServiceAccount robot is referenced by serviceAccountName/,
  },
  {
    what: 'a priority class',
    yaml: web('', 'priorityClassName: high'),
    mend: [['high', 'system-node-critical']],
    severity: 'failure',
    code: 'RENDER-201',
    says: /PriorityClass high/,
  },
  {
    what: 'a pull secret, which may not be needed',
    yaml: all(secret, web('', 'imagePullSecrets: [{name: regcred}]')),
    mend: [['regcred', 'web-keys']],
    severity: 'warning',
    code: 'RENDER-201',
    says: /Secret regcred is referenced by imagePullSecrets/,
  },
  {
    what: 'what is asked for by no pod as yet',
    yaml: all(configMap, web('envFrom: [{configMapRef: {name: nope}}]', '', 'replicas: 0')),
    mend: [['nope', 'web-env']],
    severity: 'warning',
    code: 'RENDER-201',
    says: /ConfigMap nope/,
  },
  {
    what: 'a Secret that a Job of the manifests may make',
    yaml: all(
      web('envFrom: [{secretRef: {name: made}}]'),
      'apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: maker}\nrules: [{apiGroups: [""], resources: [secrets], verbs: [create]}]\n',
    ),
    mend: [['{name: made}', '{name: made, optional: true}']],
    severity: 'warning',
    code: 'RENDER-201',
    says: /Secret made is referenced by main\/envFrom, no manifest provides it, something that runs may/,
  },
  {
    what: 'a role, and the account that it is for',
    yaml: all(
      'apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: robot}\n',
      'apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: a}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: viewer}\nsubjects: [{kind: ServiceAccount, name: robot}]\n',
    ),
    mend: [['viewer', 'view']],
    severity: 'warning',
    code: 'RENDER-201',
    says: /RoleBinding\/a: ClusterRole viewer is referenced by roleRef/,
  },
  {
    what: 'the account that a role is for',
    yaml: all(
      'apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: robot}\n',
      'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: a}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}\nsubjects:\n- {kind: User, name: ada}\n- {kind: ServiceAccount, name: other, namespace: kube-system}\n- {kind: ServiceAccount, name: robott, namespace: shop}\n',
    ),
    mend: [['robott', 'robot']],
    severity: 'warning',
    code: 'RENDER-201',
    says: /^a\.yaml:12: ClusterRoleBinding\/a: ServiceAccount robott is referenced by subjects/,
  },
  {
    what: 'what an autoscaler scales',
    yaml: all(
      web(),
      'apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\nspec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: wep}}\n',
    ),
    mend: [['wep', 'web']],
    severity: 'warning',
    code: 'RENDER-201',
    says: /HorizontalPodAutoscaler\/web: Deployment wep is referenced by scaleTargetRef/,
    hint: /web\?/,
  },
  {
    what: 'a Service in the URL of a variable',
    yaml: all(service, web('env:\n- name: API\n  value: http://wep:80/v1')),
    mend: [['//wep', '//web']],
    severity: 'warning',
    code: 'RENDER-201',
    says: /main\/env API names Service wep, nothing provides it/,
    hint: /Did you mean web\?/,
  },
  {
    what: 'a Service in a ConfigMap of variables, and never the password beside it',
    yaml: all(
      service,
      web('envFrom: [{configMapRef: {name: env}}]'),
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: env}\ndata:\n  OTHER: redis:7\n  DATABASE: postgres://ada:hunter2@webb:5432/shop\n',
    ),
    mend: [['webb', 'web']],
    severity: 'warning',
    code: 'RENDER-201',
    says: /^a\.yaml:\d+: ConfigMap\/env: main\/env DATABASE names Service webb, nothing provides it\.$/,
  },
  {
    what: 'a Service of this environment by the name of another namespace',
    yaml: all(service, web('env: [{name: API, value: "http://web.production.svc.cluster.local"}]')),
    mend: [['web.production', 'web.shop']],
    severity: 'warning',
    code: 'RENDER-201',
    says: /names Service web in the namespace production, here it is in shop/,
  },
  {
    what: 'a Service that a probe asks',
    yaml: all(service, web('livenessProbe: {tcpSocket: {host: wep, port: http}}')),
    mend: [['host: wep', 'host: web']],
    severity: 'warning',
    code: 'RENDER-201',
    says: /main\/livenessProbe names Service wep/,
  },
  {
    what: 'a backend of an Ingress',
    yaml: all(
      service,
      web(),
      'apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: nginx}\n',
      'apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}\nspec: {rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: wep, port: {name: http}}}}]}}]}\n',
    ),
    mend: [['name: wep', 'name: web']],
    severity: 'warning',
    code: 'RENDER-201',
    says: /Ingress\/web: the backend names Service wep/,
  },
  {
    what: 'the port of a backend',
    yaml: all(
      service,
      web(),
      'apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: nginx}\n',
      'apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}\nspec: {defaultBackend: {service: {name: web, port: {number: 8000}}}}\n',
    ),
    mend: [['number: 8000', 'number: 80']],
    severity: 'warning',
    code: 'RENDER-202',
    says: /the port 8000 is none of Service\/web/,
    hint: /http/,
  },
  {
    what: 'a key of a ConfigMap that is mounted as a file of its own',
    yaml: all(
      configMap,
      web(
        'volumeMounts: [{name: config, mountPath: /etc/url, subPath: urll}, {name: config, mountPath: /etc/all}]',
        'volumes: [{name: config, configMap: {name: web-env}}]',
      ),
    ),
    mend: [['urll', 'url']],
    severity: 'warning',
    code: 'RENDER-201',
    says: /the key urll of ConfigMap web-env is referenced by main\/volumeMounts volume config, nothing provides it/,
    hint: /^Did you mean url\?/,
  },
  {
    what: 'the certificate of an Ingress',
    yaml: all(
      service,
      web(),
      secret,
      'apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: nginx}\n',
      'apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}\nspec: {tls: [{hosts: [a.example.com], secretName: web-tls}]}\n',
    ),
    mend: [['web-tls', 'web-keys']],
    severity: 'warning',
    code: 'RENDER-201',
    says: /Ingress\/web: Secret web-tls is referenced by tls, nothing provides it/,
    hint: /controllers show a certificate of their own/,
  },
  {
    what: 'a backend of a route',
    yaml: all(service, web(), gatewayKinds, route('{name: wep, port: 80}')),
    mend: [['wep', 'web']],
    severity: 'warning',
    code: 'RENDER-201',
    says: /HTTPRoute\/web: the backend names Service wep/,
  },
  {
    what: 'the port of a backend of a route',
    yaml: all(service, web(), gatewayKinds, route('{name: web, port: 8000}')),
    mend: [['web, port: 8000', 'web, port: 80']],
    severity: 'warning',
    code: 'RENDER-202',
    says: /HTTPRoute\/web: the port 8000 is none of Service\/web/,
  },
  {
    what: 'a backend of a route in the namespace of another environment',
    yaml: all(service, web(), gatewayKinds, route('{name: web, namespace: production, port: 8000}')),
    mend: [['namespace: production, port: 8000', 'port: 80']],
    severity: 'warning',
    code: 'RENDER-201',
    says: /names Service web in the namespace production, here it is in shop/,
  },
  {
    what: 'the port of a probe',
    yaml: web('readinessProbe:\n  httpGet: {path: /, port: htpp}'),
    mend: [['htpp', 'http']],
    severity: 'failure',
    code: 'RENDER-202',
    says: /^a\.yaml:14: Deployment\/web: readinessProbe asks the port htpp, container main names none so/,
    hint: /Did you mean http\?/,
  },
  {
    what: 'the port that a Service leads to',
    yaml: all(service.replace('targetPort: http', 'targetPort: web'), web()),
    mend: [['targetPort: web', 'targetPort: metrics']],
    severity: 'warning',
    code: 'RENDER-202',
    says: /Service\/web: targetPort web is no port of Deployment\/web/,
    hint: /http, metrics/,
  },
  {
    what: 'a Service that selects nothing',
    yaml: all(service.replace('app: web', 'app: wep'), web()),
    mend: [['app: wep', 'app: web']],
    severity: 'warning',
    code: 'RENDER-203',
    says: /Service\/web: no pod of the manifests has the labels app=wep/,
    hint: /app=web, as the pods of Deployment\/web have/,
  },
  {
    what: 'a workload that does not select its own pods',
    yaml: web().replace('matchLabels: {app: web}', 'matchExpressions: [{key: app, operator: In, values: [wep]}]'),
    mend: [['[wep]', '[wep, web]']],
    severity: 'failure',
    code: 'RENDER-203',
    says: /its selector does not fit the labels of its own pods, app=web/,
  },
  {
    what: 'a disruption budget for nothing',
    yaml: all(
      web(),
      'apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: a}\nspec: {minAvailable: 1, selector: {matchLabels: {app: other}}}\n',
    ),
    mend: [['app: other', 'app: web']],
    severity: 'warning',
    code: 'RENDER-203',
    says: /PodDisruptionBudget\/a: no pod/,
  },
  {
    what: 'a policy for nothing',
    yaml: all(
      web(),
      'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\nspec: {podSelector: {matchLabels: {app: other}}}\n',
    ),
    mend: [['{matchLabels: {app: other}}', '{}']],
    severity: 'warning',
    code: 'RENDER-203',
    says: /NetworkPolicy\/a: no pod/,
  },
  {
    what: 'an API that is gone',
    yaml: all(web().replace('apps/v1', 'extensions/v1beta1')),
    mend: [['extensions/v1beta1', 'apps/v1']],
    severity: 'failure',
    code: 'RENDER-204',
    says: /^a\.yaml:1: Deployment\/web: extensions\/v1beta1 is gone since Kubernetes 1\.16, the manifests are for 1\.34\.$/,
    hint: /^Write apiVersion: apps\/v1; spec\.selector is required/,
  },
  {
    what: 'an API that will go',
    yaml: 'apiVersion: v1\nkind: Endpoints\nmetadata: {name: a}\n',
    mend: [['v1\nkind: Endpoints', 'discovery.k8s.io/v1\nkind: EndpointSlice']],
    severity: 'warning',
    code: 'RENDER-204',
    says: /v1 is deprecated/,
    hint: /EndpointSlice/,
  },
  {
    what: 'a kind that nobody brings',
    yaml: 'apiVersion: cert-manager.io/v1\nkind: Issuer\nmetadata: {name: a}\n',
    mend: [
      [
        'name: a}\n',
        'name: a}\n---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: b}\nspec: {group: cert-manager.io, scope: Namespaced, names: {kind: Issuer}, versions: [{name: v1}]}\n',
      ],
    ],
    severity: 'failure',
    code: 'RENDER-205',
    says: /Issuer\/a: Kubernetes has no Issuer in cert-manager\.io\/v1, and no CRD/,
    hint: /Add the CRD/,
  },
  {
    what: 'a kind with a slip in its name',
    yaml: 'apiVersion: v1\nkind: ConfigMapp\nmetadata: {name: a}\n',
    mend: [['ConfigMapp', 'ConfigMap']],
    severity: 'failure',
    code: 'RENDER-205',
    says: /no ConfigMapp in v1/,
    hint: /Did you mean ConfigMap\?/,
  },
  {
    what: 'a kind that a later Kubernetes may have',
    yaml: 'apiVersion: storage.k8s.io/v1\nkind: StorageClas\nmetadata: {name: a}\n',
    mend: [['StorageClas', 'StorageClass']],
    severity: 'warning',
    code: 'RENDER-205',
    says: /no StorageClas in storage\.k8s\.io\/v1/,
    hint: /Did you mean StorageClass\?/,
  },
  {
    what: 'a kind of another group',
    yaml: 'apiVersion: v1\nkind: Deployment\nmetadata: {name: a}\nspec: {selector: {}, template: {spec: {containers: [{name: a}]}}}\n',
    mend: [['apiVersion: v1', 'apiVersion: apps/v1']],
    severity: 'failure',
    code: 'RENDER-205',
    says: /no Deployment in v1/,
    hint: /Write apiVersion: apps\/v1\./,
  },
  {
    what: 'Ingresses without a controller, told once',
    yaml: all(
      service,
      web(),
      ...['a', 'b'].map(
        (name) =>
          `apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: ${name}}\nspec: {defaultBackend: {service: {name: web, port: {number: 80}}}}\n`,
      ),
    ),
    mend: [['image: registry.example.com/shop/web', 'image: registry.k8s.io/ingress-nginx/controller']],
    severity: 'warning',
    code: 'RENDER-206',
    says: /Ingress\/a and 1 more: the cluster has no ingress controller/,
  },
  {
    what: 'a Gateway without a controller; that of a service mesh has another group',
    yaml: all(
      'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\nspec: {group: gateway.networking.k8s.io, scope: Namespaced, names: {kind: Gateway}, versions: [{name: v1}]}\n',
      'apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: a}\nspec: {}\n',
    ),
    mend: [
      ['group: gateway.networking.k8s.io', 'group: mesh.example.com'],
      ['apiVersion: gateway.networking.k8s.io', 'apiVersion: mesh.example.com'],
    ],
    severity: 'warning',
    code: 'RENDER-206',
    says: /Gateway\/a: the cluster has no gateway controller/,
  },
  {
    what: 'a load balancer that nobody is',
    yaml: all(service.replace('spec: {', 'spec: {type: LoadBalancer, '), web()),
    mend: [['type: LoadBalancer', 'type: ClusterIP']],
    severity: 'warning',
    code: 'RENDER-206',
    says: /Service\/web: the cluster has no load balancer/,
  },
  {
    what: 'an image beside one that is built, and of no service',
    yaml: web(),
    mend: [['shop/web:1', 'shop/api:1']],
    severity: 'warning',
    code: 'RENDER-208',
    says: /no service of the config has the image registry\.example\.com\/shop\/web/,
    over: { images: [{ image: 'registry.example.com/shop/api', isBuilt: true }] },
  },
]

test.each(traps)('$what: $code, and nothing of its healthy twin', async ({ yaml, mend, severity, code, says, hint, over }) => {
  const found = await findings(yaml, over)
  expect(found).toMatchObject([{ severity, code, message: expect.stringMatching(says) }])
  expect(found[0]?.hint).toMatch(hint ?? /\w/)
  expect(JSON.stringify(found)).not.toContain('hunter2')
  const mended = mend.reduce((text, [from, to]) => text.replace(from, to), yaml)
  expect(await findings(mended, over)).toEqual([])
})

test('all at once, failures first, as one problem with a line of advice for each', async () => {
  const found = await findings(
    all(service.replace('app: web', 'app: wep'), web('envFrom: [{configMapRef: {name: a}}, {secretRef: {name: b}}]')),
  )
  expect(found.map(({ severity }) => severity)).toEqual(['failure', 'failure', 'warning'])
  expect(failureOf(found)).toMatchObject({
    code: 'RENDER-201',
    message: expect.stringMatching(
      /^2 problems in the manifests:\na\.yaml:18: .*ConfigMap a .*\(RENDER-201\)\n {2}→ Add .*\na\.yaml:18: .*Secret b /,
    ),
  })
  expect(failureOf(found.slice(2))).toBeUndefined()
})

test('objects that are defined twice are told at once, also those of two versions of one group', async () => {
  const scaler = (version: string): string =>
    `apiVersion: autoscaling/${version}\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\nspec: {maxReplicas: 2}\n`
  const twice = await read(all(service, scaler('v1'), scaler('v2'), service, service.replace('name: web', 'name: other')))
  expect(() => serviceTargets(twice, [])).toThrow(
    expect.objectContaining({
      code: 'RENDER-104',
      message:
        'a.yaml:11: HorizontalPodAutoscaler/web is defined already at a.yaml:6.\na.yaml:16: Service/web is defined already at a.yaml:1.',
    }),
  )
  expect(serviceTargets(twice.slice(0, 2), [])).toEqual(new Map())
})

test('what is missing in many places is told once, with the places', async () => {
  const many = all(
    ...['a', 'b', 'c'].map((name) => web('envFrom: [{secretRef: {name: gone}}]').replace('{name: web}', `{name: ${name}}`)),
  )
  expect(await findings(many)).toMatchObject([
    {
      message:
        'a.yaml:13: Deployment/a: Secret gone is referenced by main/envFrom (also at a.yaml:27, a.yaml:41), nothing provides it.',
    },
  ])
})

test('what something else provides is not missed', async () => {
  const needs = (name: string): string => web(`envFrom: [{secretRef: {name: ${name}}}]`)
  const crds = (group: string, kind: string): string =>
    `apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: ${kind}}\nspec: {group: ${group}, scope: Namespaced, names: {kind: ${kind}}, versions: [{name: v1}]}\n`
  const healthy = [
    all(
      needs('tls'),
      crds('cert-manager.io', 'Certificate'),
      'apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: a}\nspec: {secretName: tls}\n',
    ),
    all(
      needs('db'),
      crds('external-secrets.io', 'ExternalSecret'),
      'apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: db}\nspec: {}\n',
    ),
    all(
      needs('keys'),
      crds('bitnami.com', 'SealedSecret'),
      'apiVersion: bitnami.com/v1\nkind: SealedSecret\nmetadata: {name: a}\nspec: {template: {metadata: {name: keys}}}\n',
    ),
    all(web('', 'volumes: [{name: d, persistentVolumeClaim: {claimName: data-db-0}}]'), statefulSet),
    // what an operator fills, and what a Job may
    all(
      secret,
      web('env: [{name: A, valueFrom: {secretKeyRef: {name: web-keys, key: later}}}]'),
      'apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: a}\nrules: [{apiGroups: [""], resources: [secrets], verbs: [patch]}]\n',
    ),
    all('apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: a}\nspec: {storageClassName: manual}\n', claimOf('manual')),
    web(
      'env: [{name: A, value: "http://legacy:80"}, {name: B, value: "https://example.com"}, {name: C, value: "$(HOST):5432"}, {name: D, value: "localhost:80"}]',
      'hostAliases: [{ip: 192.0.2.1, hostnames: [legacy]}]',
    ),
  ]
  for (const yaml of healthy) expect(await findings(yaml)).toEqual([])
})

const statefulSet = `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: main, image: "a:1"}]}
  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce]}}]
`

function claimOf(storageClass: string): string {
  return `apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], storageClassName: ${storageClass}}\n`
}

test('of a cluster that devkit did not make nothing is said that only it can know', async () => {
  const ingress =
    'apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: a}\nspec: {defaultBackend: {service: {name: web, port: {number: 80}}}}\n'
  const found = await findings(all(service.replace('spec: {', 'spec: {type: LoadBalancer, '), web(), ingress, claimOf('fast')), {
    own: false,
  })
  expect(found).toMatchObject([{ code: 'RENDER-201', unless: { ref: { kind: 'StorageClass', name: 'fast' } } }])
})

test('a line is that of the source, whatever a profile did to the object since', async () => {
  const sources = await read(web('env:\n- {name: A, value: a}\n- name: B\n  valueFrom: {secretKeyRef: {name: gone, key: k}}'))
  const [source] = sources
  const container = { name: 'main', env: [{ name: 'B', valueFrom: { secretKeyRef: { name: 'gone', key: 'k' } } }] }
  const object = { ...source?.object, spec: { template: { spec: { containers: [{ name: 'added' }, container] } } } }
  const changed = source ? [{ ...source, object: object as Manifest['object'] }] : []
  expect(preflight(inputOf(changed, { sources }))[0]?.message).toMatch(/^a\.yaml:16: /)
})

const scaler = (workload: string, least: number): string =>
  `apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: ${workload}}\nspec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: ${workload}}, minReplicas: ${least}, maxReplicas: 9}\n`

test('an autoscaler has at least as many pods as it is told', async () => {
  const one = web('resources: {requests: {cpu: 1}}')
  const counts = async (yaml: string) => stackOf(inputOf(await read(yaml))).pods.map(({ count }) => count)
  expect(await counts(one)).toEqual([1])
  expect(await counts(all(one, scaler('web', 4)))).toEqual([4])
  expect(await counts(all(web('', '', 'replicas: 5'), scaler('web', 4)))).toEqual([5])
})

test('all pods together are held against the node', async () => {
  const stack = stackOf(
    inputOf(
      await read(
        all(
          web(
            'resources: {requests: {cpu: 500m, memory: 1Gi}}',
            'initContainers: [{name: first, image: a, resources: {limits: {cpu: "2"}}}]',
            'replicas: 2',
          ),
          web('resources: {limits: {cpu: 4}}', '', 'replicas: 0').replace('name: web', 'name: idle'),
          scaler('idle', 3),
        ),
      ),
    ),
  )
  // the first container alone asks for more than those that follow it
  expect(tooMuch(stack, { cpus: 4, bytes: 8 * 2 ** 30 })).toMatchObject([
    {
      code: 'RENDER-207',
      message: expect.stringMatching(/all pods together ask for 4\.95 CPUs, the node has 4 CPUs: .* Deployment\/web's, 4 CPUs\./),
    },
  ])
  expect(tooMuch(stack, { cpus: 5, bytes: 8 * 2 ** 30 })).toEqual([])
  expect(tooMuch(stack, { cpus: 5, bytes: 2 ** 31 })).toMatchObject([
    { message: expect.stringContaining('2.3 GiB, the node has 2.0 GiB') },
  ])
})

test('quantities are read in base units', () => {
  expect(['250m', '2', 0.5, '128Mi', '1e3', '1.5Gi', 'much'].map(amountOf)).toEqual([
    0.25,
    2,
    0.5,
    134_217_728,
    1000,
    1_610_612_736,
    undefined,
  ])
})

test.each([
  ['http://api:8080/x', [{ service: 'api' }]],
  ['jdbc:postgresql://db:5432/shop', [{ service: 'db' }]],
  ['redis://:secret@cache:6379,queue:6380', [{ service: 'cache' }, { service: 'queue' }]],
  ['api.other.svc', [{ service: 'api', namespace: 'other' }]],
  ['http://api.other.svc.cluster.local:80', [{ service: 'api', namespace: 'other' }]],
  ['https://example.com', []],
  ['db.example.com:5432', []],
  ['redis:7', []],
  ['node:22', []],
  ['0.0.0.0:8000', []],
  ['unix:///run/a.sock', []],
  ['debug', []],
  ['http://localhost:80', []],
])('services in %s', (value, services) => {
  expect(servicesIn(value)).toEqual(services)
})

test('whatever stands in a manifest, looking at it is safe', async () => {
  const odd = [null, 7, 'text', [], {}, [null, 7, 'x', [[]]], { name: 7, items: null, matchLabels: [], '': '' }]
  const kinds = [
    'Deployment',
    'CronJob',
    'Pod',
    'Service',
    'Ingress',
    'RoleBinding',
    'StatefulSet',
    'HorizontalPodAutoscaler',
    'CustomResourceDefinition',
    'Certificate',
  ]
  const pods = (value: unknown) => ({
    containers: [{ env: value, envFrom: [value], ports: value, image: value, resources: value, livenessProbe: value }],
    volumes: [value],
    imagePullSecrets: value,
  })
  const objects = odd.flatMap((value) =>
    kinds.flatMap((kind) => [
      { kind, spec: value, rules: value, subjects: value },
      {
        kind,
        spec: {
          template: { metadata: value, spec: pods(value) },
          selector: value,
          rules: [value],
          ports: [value],
          tls: value,
          volumeClaimTemplates: [value],
          scaleTargetRef: value,
        },
      },
    ]),
  )
  const odds = objects.map(
    (object, index): Manifest => ({
      object: { apiVersion: 'v1', metadata: { name: `n${index}` }, ...object } as Manifest['object'],
      origin: { file: 'a', line: 1 },
    }),
  )
  expect(() => preflight(inputOf(odds))).not.toThrow()
  expect(() => tooMuch(stackOf(inputOf(odds)), { cpus: 0, bytes: 0 })).not.toThrow()
})

test('300 objects take less than 300 ms, whatever else the machine does', async () => {
  const one = (name: string): string =>
    all(
      web(
        'envFrom: [{configMapRef: {name: web}}]\nenv: [{name: A, value: "http://web:80"}]\nreadinessProbe: {httpGet: {port: http}}',
      ).replaceAll(/\bweb\b/g, name),
      service.replaceAll(/\bweb\b/g, name),
      configMap.replace('web-env', name),
    )
  const many = await read(all(...Array.from({ length: 100 }, (_, index) => one(`web${index}`))))
  expect(many).toHaveLength(300)
  const took = [1, 2, 3].map(() => {
    const began = performance.now()
    expect(preflight(inputOf(many))).toEqual([])
    return performance.now() - began
  })
  expect(Math.min(...took)).toBeLessThan(300)
})
