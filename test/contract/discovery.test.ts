import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readJson, writePrivate } from '../../src/host/files.ts'
import { openKube } from '../../src/kube/client.ts'
import { type ApiProxy, openApiProxy } from './api-proxy.ts'
import { type ApiRig, openApiRig } from './api-rig.ts'

// What of the cluster's kinds is asked for, and how often.

let rig: ApiRig
let proxy: ApiProxy
let file: string
const kind = `Bulb${process.pid}`
const [plural, group] = [`${kind.toLowerCase()}s`, 'discovery.devkit.test']
const ingresses = { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', namespace: 'default' }

beforeAll(async () => {
  rig = await openApiRig()
  proxy = await openApiProxy(rig)
  file = join(rig.scratch, 'kinds/discovery.json')
}, 120_000)
afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]()
  rig?.kubectl(['delete', 'crd', `${plural}.${group}`, '--ignore-not-found', '--wait=false'])
  await rig?.[Symbol.asyncDispose]()
})

const open = () =>
  openKube(join(proxy.directory, 'kubeconfig'), {
    memoryOf: () => ({ read: () => readJson(file), write: (known) => writePrivate(file, JSON.stringify(known)) }),
  })
/** How the questions for kinds were answered since the last time. */
let told = 0
const answers = (): readonly string[] => {
  const since = proxy.answered.slice(told)
  told = proxy.answered.length
  const asked = since.map(({ request, status }) => `${request} ${status}`).filter((line) => /^GET \/apis? /.test(line))
  return asked.toSorted()
}
/** A run that wants to know one kind that not every cluster has. */
const run = async (): Promise<readonly string[]> => {
  await using kube = await open()
  await kube.list(ingresses, rig.signal)
  await kube.list(ingresses, rig.signal)
  return answers()
}
const anew = ['GET /api 200', 'GET /apis 200']

test('what a run has learned is not sent again to the next, as long as it is so', async () => {
  expect(await run()).toEqual(anew)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  // other tests at this API may bring kinds meanwhile
  await expect.poll(run, { timeout: 20_000 }).toEqual(['GET /api 304', 'GET /apis 304'])
}, 60_000)

test('a file that is broken, or of another devkit, is as none', async () => {
  await run()
  const { parts } = (await readJson<{ parts: Record<string, object> }>(file)) ?? { parts: {} }
  const broken = Object.fromEntries(Object.entries(parts).map(([path, part]) => [path, { ...part, kinds: { 'v1/Pod': 'pods' } }]))
  for (const text of [
    '{',
    '[]',
    '{"v":2,"parts":{}}',
    JSON.stringify({ v: 1, parts: broken }),
    '{"v":1,"parts":{"/api":null}}',
  ]) {
    writeFileSync(file, text)
    expect(await run()).toEqual(anew)
  }
}, 60_000)

test('a kind that comes while a run goes on works in it, and in the next', async () => {
  await using kube = await open()
  expect(await kube.scopeOf(`${group}/v1`, kind, rig.signal)).toBeUndefined()
  const schema = { openAPIV3Schema: { type: 'object' } }
  const names = { kind, plural, singular: kind.toLowerCase() }
  const versions = [{ name: 'v1', served: true, storage: true, schema }]
  const metadata = { name: `${plural}.${group}` }
  const spec = { group, names, scope: 'Cluster', versions }
  await kube.apply({ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata, spec }, rig.signal)
  await expect.poll(() => kube.scopeOf(`${group}/v1`, kind, rig.signal), { timeout: 20_000 }).toBe('cluster')
  expect(await kube.list({ apiVersion: `${group}/v1`, kind }, rig.signal)).toEqual([])
  await using next = await open()
  answers()
  expect(await next.list({ apiVersion: `${group}/v1`, kind }, rig.signal)).toEqual([])
  expect(answers()).toContain('GET /api 304')
}, 60_000)
