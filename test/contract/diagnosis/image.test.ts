import { afterAll, beforeAll } from 'vitest'
import { baseImage } from '../../lab/recipe.ts'
import { type ApiRig, openApiRig } from '../api-rig.ts'
import { hosts, login, openRegistries } from './registries.ts'
import { bash, container, deployment, type Fault, object, testFaults, testTwins } from './rig.ts'

let rig: ApiRig
let registries: AsyncDisposable

beforeAll(async () => {
  rig = await openApiRig()
  registries = await openRegistries(rig)
  await untilNodeTells(baseImage)
}, 180_000)
afterAll(async () => {
  await registries?.[Symbol.asyncDispose]()
  await rig?.[Symbol.asyncDispose]()
})

/** A node tells of a new image some seconds after it has it; the cluster may be a new one. */
async function untilNodeTells(image: string): Promise<void> {
  const enough = new AbortController()
  const signal = AbortSignal.any([rig.signal, enough.signal, AbortSignal.timeout(60_000)])
  for await (const event of rig.kube.watch({ apiVersion: 'v1', kind: 'Node' }, signal))
    if (event.type === 'set' && JSON.stringify(event.object['status']).includes(image)) enough.abort()
  if (!enough.signal.aborted) throw new Error(`no node tells that it has ${image}`)
}

/** The machine of the tests is loaded. */
const atOnceMs = 10_000
const place = 'Deployment/web (k8s/all.yaml:1)'
const platform = `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`

/** What is only in registries has neither a shell nor `sleep`. */
function pulled(image: string, over: object = {}): ReturnType<typeof container> {
  const { command: _, ...rest } = container()
  return { ...rest, image, imagePullPolicy: 'IfNotPresent', ...over }
}

function secret(host: string, { user, password }: typeof login): ReturnType<typeof object> {
  const auth = Buffer.from(`${user}:${password}`).toString('base64')
  return object('v1', 'Secret', 'login', {
    type: 'kubernetes.io/dockerconfigjson',
    stringData: { '.dockerconfigjson': JSON.stringify({ auths: { [host]: { auth } } }) },
  })
}

const byLogin = { pod: { imagePullSecrets: [{ name: 'login' }] } }

const names: readonly Fault[] = [
  {
    what: 'a name with upper case letters',
    objects: [deployment(pulled('Shop/Web:1'))],
    code: 'READY-110',
    says: 'The image Shop/Web:1 of Deployment/web is no name of an image: repository name (Web) must be lowercase.',
    hint: `Correct it in ${place}: a name is HOST/NAME:TAG, with NAME in lower case.`,
    withinMs: atOnceMs,
  },
  {
    what: 'an address in place of a name',
    objects: [deployment(pulled(`https://${hosts.open}/shop/web:1`))],
    code: 'READY-110',
    says: `The image https://${hosts.open}/shop/web:1 of Deployment/web is no name of an image.`,
    hint: `Drop \`https://\` in ${place}: a name is HOST/NAME:TAG.`,
    withinMs: atOnceMs,
  },
  {
    what: 'a tag that was never pushed',
    objects: [deployment(pulled(`${hosts.open}/shop/web:2`))],
    code: 'READY-104',
    says: `The image ${hosts.open}/shop/web:2 of Deployment/web cannot be found: the registry ${hosts.open} has no such name or no such tag.`,
    hint: `Correct it in ${place}, or give its service a \`build\`.`,
    evidence: /not found/,
    withinMs: atOnceMs,
  },
  {
    what: 'a repository that is not there, in an init container',
    objects: [deployment(container(), { pod: { initContainers: [pulled(`${hosts.open}/shop/wep:1`, { name: 'setup' })] } })],
    code: 'READY-104',
    says: `The image ${hosts.open}/shop/wep:1 of Deployment/web cannot be found: the registry ${hosts.open} has no such name or no such tag.`,
    hint: `Correct it in ${place}, or give its service a \`build\`.`,
    withinMs: atOnceMs,
  },
]

const ways: readonly Fault[] = [
  {
    what: 'a registry whose name has no address',
    objects: [deployment(pulled('registry.nowhere.invalid/shop/web:1'))],
    code: 'READY-111',
    says: 'The image registry.nowhere.invalid/shop/web:1 of Deployment/web cannot be pulled: the registry registry.nowhere.invalid cannot be reached, the name registry.nowhere.invalid has no address.',
    hint: `Correct the registry in ${place}, or name one that the node reaches in its place (\`mirrors\` of the machine’s settings).`,
    withinMs: 40_000,
  },
  {
    what: 'a registry where nobody listens',
    objects: [deployment(pulled(`${hosts.refusing}/shop/web:1`))],
    code: 'READY-111',
    says: `The image ${hosts.refusing}/shop/web:1 of Deployment/web cannot be pulled: the registry ${hosts.refusing} cannot be reached, the connection is refused.`,
    hint: `Correct the registry in ${place}, or name one that the node reaches in its place (\`mirrors\` of the machine’s settings).`,
    withinMs: 40_000,
  },
  {
    what: 'the first try at a registry where nobody listens',
    objects: [deployment(pulled(`${hosts.refusing}/shop/web:1`))],
    code: 'READY-111',
    severity: 'warning',
    says: `The image ${hosts.refusing}/shop/web:1 of Deployment/web cannot be pulled: the registry ${hosts.refusing} cannot be reached, the connection is refused.`,
    hint: `Correct the registry in ${place}, or name one that the node reaches in its place (\`mirrors\` of the machine’s settings).`,
    withinMs: atOnceMs,
  },
  {
    what: 'a registry that speaks HTTP',
    objects: [deployment(pulled(`${hosts.plain}/shop/web:1`))],
    code: 'READY-111',
    says: `The image ${hosts.plain}/shop/web:1 of Deployment/web cannot be pulled: the registry ${hosts.plain} cannot be reached, it speaks HTTP, and the node expects HTTPS.`,
    hint: `Correct the registry in ${place}, or name one that the node reaches in its place (\`mirrors\` of the machine’s settings).`,
    withinMs: atOnceMs,
  },
  {
    what: 'a registry that wants a login of a pod that has none',
    objects: [deployment(pulled(`${hosts.closed}/shop/web:1`))],
    code: 'READY-112',
    says: `The image ${hosts.closed}/shop/web:1 of Deployment/web cannot be pulled: the registry ${hosts.closed} wants a login.`,
    hint: `Name a Secret with the login in \`imagePullSecrets\` of ${place}.`,
    withinMs: atOnceMs,
  },
  {
    what: 'a login that is not taken',
    objects: [secret(hosts.closed, { ...login, password: 'another' }), deployment(pulled(`${hosts.closed}/shop/web:1`), byLogin)],
    code: 'READY-112',
    says: `The image ${hosts.closed}/shop/web:1 of Deployment/web cannot be pulled: the registry ${hosts.closed} wants a login, and that of Secret/login is not taken.`,
    hint: 'Correct the login in Secret/login (k8s/all.yaml:1).',
    withinMs: atOnceMs,
  },
  {
    what: 'a registry that is out of order',
    objects: [deployment(pulled(`${hosts.open}/shop/busy:1`))],
    code: 'READY-116',
    severity: 'warning',
    says: `The image ${hosts.open}/shop/busy:1 of Deployment/web is not pulled yet: the registry ${hosts.open} fails, it answers with an error (503).`,
    hint: 'Wait: the node tries again; a login (`imagePullSecrets`) or a mirror (`mirrors` of the machine’s settings) raises limits.',
    withinMs: atOnceMs,
  },
  {
    what: 'a registry that is asked too often',
    objects: [deployment(pulled(`${hosts.open}/shop/limited:1`))],
    code: 'READY-116',
    severity: 'warning',
    says: `The image ${hosts.open}/shop/limited:1 of Deployment/web is not pulled yet: the registry ${hosts.open} fails, it is asked too often (429).`,
    hint: 'Wait: the node tries again; a login (`imagePullSecrets`) or a mirror (`mirrors` of the machine’s settings) raises limits.',
    withinMs: 20_000,
  },
]

const images: readonly Fault[] = [
  {
    what: 'an image for another processor',
    objects: [deployment(pulled(`${hosts.open}/shop/foreign:1`))],
    code: 'READY-113',
    says: `The image ${hosts.open}/shop/foreign:1 of Deployment/web is not built for the node (${platform}).`,
    hint: `Build it for the node too (\`docker buildx build --platform\`), or name another in ${place}.`,
    withinMs: atOnceMs,
  },
  {
    what: 'an image for another system',
    objects: [deployment(pulled(`${hosts.open}/shop/foreign:2`))],
    code: 'READY-113',
    says: `The image ${hosts.open}/shop/foreign:2 of Deployment/web is not built for the node (${platform}).`,
    hint: `Build it for the node too (\`docker buildx build --platform\`), or name another in ${place}.`,
    withinMs: atOnceMs,
  },
  {
    what: 'an image that the node has not and may not pull',
    objects: [deployment(container({ image: 'shop/web:dev' }))],
    code: 'READY-114',
    says: 'The image shop/web:dev of Deployment/web is not on the node, and `imagePullPolicy: Never` forbids to pull it.',
    hint: `Give its service a \`build\`, or drop \`imagePullPolicy\` in ${place}.`,
    withinMs: atOnceMs,
  },
  {
    what: 'another tag of an image that the node may not pull',
    objects: [deployment(container({ image: 'debian:bookworm-slimm' }))],
    code: 'READY-114',
    says: `The image debian:bookworm-slimm of Deployment/web is not on the node, which has docker.io/library/${baseImage}, and \`imagePullPolicy: Never\` forbids to pull it.`,
    hint: `Give its service a \`build\`, or drop \`imagePullPolicy\` in ${place}.`,
    withinMs: atOnceMs,
  },
  {
    what: 'an image of the node that is asked of its registry all the same',
    objects: [deployment(container({ imagePullPolicy: 'Always' }))],
    code: 'READY-115',
    says: `The image ${baseImage} of Deployment/web is on the node, but \`imagePullPolicy: Always\` asks the registry docker.io for it, in vain.`,
    hint: `Set \`imagePullPolicy: IfNotPresent\` in ${place}.`,
    withinMs: 40_000,
  },
  {
    what: 'an init container whose image is asked of its registry all the same',
    objects: [
      deployment(container(), {
        pod: {
          initContainers: [
            container({ name: 'setup', image: `docker.io/library/${baseImage}`, imagePullPolicy: 'Always', ...bash('true') }),
          ],
        },
      }),
    ],
    code: 'READY-115',
    says: `The image docker.io/library/${baseImage} of Deployment/web is on the node, but \`imagePullPolicy: Always\` asks the registry docker.io for it, in vain.`,
    hint: `Set \`imagePullPolicy: IfNotPresent\` in ${place}.`,
    withinMs: 40_000,
  },
  {
    what: 'a layer that is none',
    objects: [deployment(pulled(`${hosts.open}/shop/damaged:1`))],
    code: 'READY-117',
    says: `The image ${hosts.open}/shop/damaged:1 of Deployment/web cannot be unpacked on the node: invalid tar header.`,
    hint: 'Build it and push it again; a proxy or a mirror in between may have damaged it.',
    withinMs: 40_000,
  },
  {
    what: 'a layer that is another than its image says',
    objects: [deployment(pulled(`${hosts.open}/shop/damaged:2`))],
    code: 'READY-117',
    says: `The image ${hosts.open}/shop/damaged:2 of Deployment/web cannot be unpacked on the node: wrong diff id calculated on extraction.`,
    hint: 'Build it and push it again; a proxy or a mirror in between may have damaged it.',
    withinMs: 40_000,
  },
  {
    what: 'an image that names its user without a number',
    objects: [deployment(pulled(`${hosts.open}/shop/named:1`, { securityContext: { runAsNonRoot: true } }))],
    code: 'READY-128',
    says: 'The container main of Deployment/web cannot start: it has to run as non-root, and its image names its user without a number (app).',
    hint: `Set \`runAsUser\` to a number above 0 in ${place}, or \`USER\` in its Dockerfile.`,
    withinMs: atOnceMs,
  },
]

testFaults(() => rig, [...names, ...ways, ...images])

testTwins(
  () => rig,
  [
    { what: 'an image that is pulled', objects: [deployment(pulled(`${hosts.open}/shop/web:1`, { imagePullPolicy: 'Always' }))] },
    {
      what: 'a pull that succeeds when it is tried again',
      objects: [deployment(pulled(`${hosts.open}/shop/later:1`))],
      warns: ['READY-116'],
    },
    {
      what: 'a login that is taken',
      objects: [secret(hosts.closed, login), deployment(pulled(`${hosts.closed}/shop/later:1`), byLogin)],
    },
    { what: 'an image of the node that may not be pulled', objects: [deployment(container())] },
    {
      what: 'an image of the node whose registry is not there',
      objects: [deployment(container({ imagePullPolicy: 'IfNotPresent' }))],
    },
  ],
)
