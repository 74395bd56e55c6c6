import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import type { buildConnector } from 'undici'
import { delay } from '../lib/async.ts'
import { DevkitError, messageOf } from '../lib/errors.ts'
import type { KubeObject, ObjectRef } from '../lib/objects.ts'
import { type Api, applyType, isStatus, listAll, makeApi } from './api.ts'
import { type DiscoveryMemory, makeDiscovery, type Resources, wellKnown } from './discovery.ts'
import { openExec } from './exec.ts'
import { ApiFailure, type KindRef, type Kube, type LogLine, type LogRef, type OpenOptions } from './kube.ts'
import { openPorts } from './ports.ts'
import { isConnectionLost, Presence } from './retry.ts'
import { denials } from './rights.ts'
import { fieldsOfSchema } from './schema.ts'
import { linesOf, watchObjects } from './watch.ts'

/** Name under which devkit owns fields. https://kubernetes.io/docs/reference/using-api/server-side-apply/#managers */
const fieldManager = 'devkit'
const patchType = 'application/json-patch+json'

const whenOwnIsSilent = 'Look at the node with `docker logs`; `devkit down` and `devkit up` make the cluster anew.'

/** Opens the API that a kubeconfig leads to. The first use loads client-node and undici. @throws CLUSTER-104 when the kubeconfig can't be read */
export async function openKube(
  kubeconfig: string,
  { context, onAbsence = () => undefined, whenSilent, memoryOf = () => forgetful }: OpenOptions = {},
): Promise<Kube> {
  const { dispatcher, close, server, headers, ca, encryption } = await connection(kubeconfig, context, whenSilent)
  const api = makeApi(server, { headers, dispatcher, presence: new Presence(onAbsence) })
  const discover = makeDiscovery(api, memoryOf(clusterKey(server, ca)))
  let resources: Promise<Resources> | undefined
  const resourceOf = async (apiVersion: string, kind: string, signal: AbortSignal) => {
    const known = wellKnown(apiVersion, kind)
    if (known) return known
    // what could not be asked is asked again the next time
    const found = (await resources?.catch(() => undefined))?.get(`${apiVersion}/${kind}`)
    if (found) return found
    // not yet asked, or a CRD that was applied meanwhile
    resources = discover(signal)
    return (await resources).get(`${apiVersion}/${kind}`)
  }
  const pathOf = async ({ apiVersion, kind, namespace }: KindRef, signal: AbortSignal): Promise<string> => {
    const resource = await resourceOf(apiVersion, kind, signal)
    if (!resource) throw new ApiFailure(404, 'UnknownKind', `no kind ${kind} in ${apiVersion}`)
    const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
    const inside = resource.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : ''
    return `${base}${inside}/${resource.plural}`
  }
  const objectPath = async (ref: ObjectRef, signal: AbortSignal): Promise<string> =>
    `${await pathOf(ref, signal)}/${encodeURIComponent(ref.name)}`
  const hint = whenSilent ?? whenOwnIsSilent
  const final = (thrown: unknown): DevkitError | undefined => outOfDate(server, thrown) ?? untrusted(server, thrown, hint)
  const noAnswer = (cause: unknown): DevkitError =>
    new DevkitError('CLUSTER-104', {
      message: `The API server at ${server} does not answer: ${messageOf(cause).replace(/\.$/, '')}.`,
      hint,
      cause,
    })
  /** @throws CLUSTER-104 when the server stays away or is not trusted, ENGINE-105 when a clock is off, ApiFailure when it says no */
  const ask = async <T>(signal: AbortSignal, question: () => Promise<T>): Promise<T> => {
    try {
      return await question()
    } catch (thrown) {
      signal.throwIfAborted()
      throw final(thrown) ?? (isConnectionLost(thrown) ? noAnswer(thrown) : thrown)
    }
  }
  const get = (ref: ObjectRef, signal: AbortSignal): Promise<KubeObject | undefined> =>
    absentIsUndefined(ask(signal, async () => api.json<KubeObject>({ path: await objectPath(ref, signal), signal })))

  return {
    untilReady: (ms, signal) => untilReady(api, { ms, final, noAnswer }, signal),
    version: async (signal) =>
      (await ask(signal, () => api.json<{ readonly gitVersion: string }>({ path: '/version', signal }))).gitVersion,
    time: (signal) => ask(signal, () => api.date({ path: '/version', signal })),
    get,
    list: (kind, signal) => ask(signal, async () => (await listAll(api, await pathOf(kind, signal), kind, signal)).items),
    apply: (object, signal, { dryRun = false, force = false } = {}) => {
      const query = { fieldManager, force: String(force), fieldValidation: 'Strict', dryRun: dryRun ? 'All' : undefined }
      return ask(signal, async () => {
        const path = await objectPath({ ...object, name: object.metadata.name, namespace: object.metadata.namespace }, signal)
        return api.json<KubeObject>({ method: 'PATCH', path, query, body: object, contentType: applyType, signal })
      })
    },
    patch: (ref, operations, signal) =>
      ask(signal, async () => {
        const path = await objectPath(ref, signal)
        const query = { fieldManager }
        return api.json<KubeObject>({ method: 'PATCH', path, query, body: operations, contentType: patchType, signal })
      }),
    remove: async (ref, signal, { uid, propagation = 'Background' } = {}) => {
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: propagation, preconditions: uid && { uid } }
      try {
        await ask(signal, async () => api.json({ method: 'DELETE', path: await objectPath(ref, signal), body, signal }))
      } catch (thrown) {
        // 409: made anew meanwhile, or a namespace that is going already
        if (!isStatus(thrown, 404) && !isStatus(thrown, 409)) throw thrown
      }
    },
    watch: (kind, signal) => watchObjects({ api, path: () => pathOf(kind, signal), kind }, signal),
    logs: (of, signal) => logLines(api, of, signal),
    exec: (ref, signal) => openExec({ server, options: { headers, ...encryption } }, ref, signal),
    openPorts: (of, signal) => openPorts({ server, options: { headers, ...encryption } }, of, signal),
    scopeOf: async (apiVersion, kind, signal) => {
      const resource = await ask(signal, () => resourceOf(apiVersion, kind, signal))
      return resource && (resource.namespaced ? 'namespaced' : 'cluster')
    },
    kinds: async (signal) => {
      resources = ask(signal, () => discover(signal))
      return [...(await resources).keys()]
    },
    denials: (needs, signal) =>
      ask(signal, () => denials({ api, resourceOf: (apiVersion, kind) => resourceOf(apiVersion, kind, signal) }, needs, signal)),
    fieldsAt: (apiVersion, kind, path, signal) => fieldsOfSchema(api, { apiVersion, kind, path }, signal),
    [Symbol.asyncDispose]: close,
  }
}

/** Another cluster at the same address has another authority. */
function clusterKey(server: string, ca: string | Buffer = ''): string {
  return createHash('sha256').update(`${server}\n`).update(ca).digest('hex').slice(0, 32)
}

const forgetful: DiscoveryMemory = { read: async () => undefined, write: async () => undefined }

/** Credentials by client-node, which knows every way of logging in; connections by one pool of our own, since client-node opens a new one for each request. */
async function connection(kubeconfig: string, context: string | undefined, hint = 'Run `devkit up`, which writes it anew.') {
  const [{ KubeConfig }, { Agent, buildConnector: makeConnector }, { createSecureContext }] = await Promise.all([
    import('./credentials.ts'),
    import('undici'),
    import('node:tls'),
  ])
  const config = new KubeConfig()
  try {
    config.loadFromFile(kubeconfig)
    if (context !== undefined) config.setCurrentContext(context)
    const cluster = config.getCurrentCluster()
    if (!cluster) throw new Error('it names no cluster')
    const options: {
      ca?: string | Buffer
      cert?: string | Buffer
      key?: string | Buffer
      headers?: Record<string, string>
      rejectUnauthorized?: boolean
    } = {}
    await config.applyToHTTPSOptions(options as never)
    const { ca, cert, key, rejectUnauthorized } = options
    // each watch has a connection of its own: certificates that each reads anew take 200 kB and half a millisecond of CPU
    const encryption = {
      secureContext: createSecureContext({ ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }),
      ...(rejectUnauthorized === false && { rejectUnauthorized }),
    }
    // destroying a dispatcher leaves alone what is not connected yet, which keeps a process alive for 10 s
    const connecting = new Set<Socket>()
    // its types do not know that the socket comes back
    const open = makeConnector({ ...encryption, allowH2: false }) as (...words: Parameters<buildConnector.connector>) => Socket
    const connect: buildConnector.connector = (options, done) => {
      const socket = open(options, (...answer) => {
        connecting.delete(socket)
        done(...answer)
      })
      connecting.add(socket)
    }
    const close = async (): Promise<void> => {
      for (const socket of connecting) socket.destroy()
      await dispatcher.destroy()
    }
    // watches and followed logs are silent for as long as nothing happens
    const dispatcher = new Agent({
      connect,
      // over HTTP/2 undici throws the loss of a connection where nobody can catch it, and a stopped API server would end a watch
      allowH2: false,
      bodyTimeout: 0,
      headersTimeout: 60_000,
      connections: 256,
      keepAliveTimeout: 60_000,
    })
    return { dispatcher, close, server: cluster.server.replace(/\/$/, ''), headers: options.headers ?? {}, ca, encryption }
  } catch (cause) {
    throw new DevkitError('CLUSTER-104', {
      message: `The kubeconfig ${kubeconfig} cannot be used: ${messageOf(cause)}.`,
      hint,
      cause,
    })
  }
}

interface Patience {
  readonly ms: number
  /** What no other try changes. */
  readonly final: (thrown: unknown) => DevkitError | undefined
  readonly noAnswer: (last: unknown) => DevkitError
}

async function untilReady(api: Api, { ms, final, noAnswer }: Patience, signal: AbortSignal): Promise<void> {
  let last: unknown = 'no answer'
  for (const deadline = Date.now() + ms; Date.now() < deadline; await delay(150, signal)) {
    try {
      const answer = AbortSignal.any([signal, AbortSignal.timeout(5000)])
      for await (const _ of await api.stream({ path: '/readyz', accept: '*/*', signal: answer })) break
      return
    } catch (thrown) {
      signal.throwIfAborted()
      const problem = final(thrown)
      if (problem) throw problem
      last = thrown
    }
  }
  throw noAnswer(last)
}

/** What is wrong with a clock, or with a cluster that is old, when its certificate is not valid now: no other try changes it. */
function outOfDate(server: string, cause: unknown): DevkitError | undefined {
  const { code } = cause as NodeJS.ErrnoException
  const now = `by this machine's clock, which says ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC`
  const setting =
    'set the clock: `sudo timedatectl set-ntp true`, and restart what the engine runs in (Docker Desktop, `colima restart`, `wsl --shutdown`)'
  if (code === 'CERT_NOT_YET_VALID')
    return new DevkitError('ENGINE-105', {
      message: `The certificate of the API server at ${server} is not valid yet ${now}.`,
      hint: `If that is wrong, ${setting}. \`devkit doctor\` compares it with the engine's.`,
      cause,
    })
  if (code === 'CERT_HAS_EXPIRED')
    return new DevkitError('CLUSTER-104', {
      message: `The certificate of the API server at ${server} has ended ${now}.`,
      hint: `If that is right, \`devkit down\` and \`devkit up\` make a cluster of devkit's anew, and whoever runs another renews it. If not, ${setting}.`,
      cause,
    })
  return undefined
}

/** Codes of a certificate that is not the cluster's, or not the server's. @see https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const untrustedCodes =
  /^(UNABLE_TO_(GET_ISSUER_CERT|GET_ISSUER_CERT_LOCALLY|VERIFY_LEAF_SIGNATURE)|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|CERT_(SIGNATURE_FAILURE|UNTRUSTED|REJECTED)|INVALID_CA|HOSTNAME_MISMATCH|ERR_TLS_CERT_ALTNAME_INVALID)$/

/** Somebody else answers at the address, or the cluster was made anew: no other try changes it. */
function untrusted(server: string, cause: unknown, hint: string): DevkitError | undefined {
  if (!untrustedCodes.test((cause as NodeJS.ErrnoException).code ?? '')) return undefined
  return new DevkitError('CLUSTER-104', {
    message: `The certificate of the API server at ${server} is not the one that the kubeconfig trusts: ${messageOf(cause).replace(/\.$/, '')}.`,
    hint,
    cause,
  })
}

async function* logLines(
  api: Api,
  { namespace, pod, container, follow, previous, tailLines, sinceTime }: LogRef,
  signal: AbortSignal,
): AsyncIterable<LogLine> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/log`
  const query = {
    container,
    timestamps: 'true',
    follow: follow ? 'true' : undefined,
    previous: previous ? 'true' : undefined,
    tailLines: tailLines?.toString(),
    sinceTime,
  }
  const body = await api.stream({ path, query, accept: '*/*', signal })
  for await (const line of linesOf(body)) {
    const space = line.indexOf(' ')
    yield { time: line.slice(0, space), line: line.slice(space + 1) }
  }
}

async function absentIsUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (thrown) {
    if (isStatus(thrown, 404)) return undefined
    throw thrown
  }
}
