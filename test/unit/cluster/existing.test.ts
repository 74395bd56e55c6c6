import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { existing } from '../../../src/cluster/existing.ts'
import { openEngine } from '../../../src/host/engine.ts'
import * as files from '../../../src/host/files.ts'

const step = { signal: new AbortController().signal, say: () => undefined }
let scratch: string
let first: string
let second: string

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'devkit-existing-'))
  first = join(scratch, 'first/config')
  second = join(scratch, 'second.yaml')
  mkdirSync(join(scratch, 'first'))
  writeFileSync(
    first,
    `apiVersion: v1
kind: Config
current-context: other
contexts:
- {name: other, context: {cluster: other, user: other}}
- {name: team, context: {cluster: team, user: team, namespace: ours}}
clusters:
- {name: other, cluster: {server: https://other.example.com}}
- {name: team, cluster: {server: https://team.example.com, certificate-authority: certs/ca.pem}}
users:
- {name: other, user: {token: secret-of-another}}
`,
  )
  writeFileSync(
    second,
    `contexts: [{name: team, context: {cluster: other, user: other}}]
users: [{name: team, user: {client-key: /abs/key.pem, exec: {command: ./login, apiVersion: client.authentication.k8s.io/v1}}}]
`,
  )
})
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const provider = (userKubeconfigs: readonly string[] = [first, join(scratch, 'never there'), second]) =>
  existing({
    files,
    stateDirectory: join(scratch, 'state'),
    userKubeconfigs,
    engine: () => openEngine(`unix://${join(scratch, 'no.sock')}`),
    openKube: () => Promise.reject(new Error('the cluster need not be asked')),
  })
const request = (context: string, more: { readonly enterNodes?: boolean } = {}) => ({
  name: 'devkit-shop',
  project: 'shop',
  spec: { existing: { context, ...more } },
})

test('the cluster is reached by the one context that the config names, whatever is current', async () => {
  const before = readFileSync(first, 'utf8')
  const { cluster, outcome } = await provider().ensure(request('team'), [], step)
  expect({ outcome, nodes: cluster.nodes }).toEqual({ outcome: 'unchanged', nodes: [] })
  expect(parse(readFileSync(cluster.kubeconfig, 'utf8'))).toEqual({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'team',
    contexts: [{ name: 'team', context: { cluster: 'team', user: 'team', namespace: 'ours' } }],
    clusters: [
      {
        name: 'team',
        cluster: { server: 'https://team.example.com', 'certificate-authority': join(scratch, 'first/certs/ca.pem') },
      },
    ],
    users: [
      {
        name: 'team',
        user: {
          'client-key': '/abs/key.pem',
          exec: { command: join(scratch, 'login'), apiVersion: 'client.authentication.k8s.io/v1' },
        },
      },
    ],
  })
  expect(statSync(cluster.kubeconfig).mode & 0o777).toBe(0o600)
  expect(readFileSync(first, 'utf8')).toBe(before)
})

test('without an engine, or where the config says so, its nodes are not entered, and why is known', async () => {
  const { cluster } = await provider().ensure(request('team'), [], step)
  expect(cluster.whyNotEntered).toContain('No container engine answers')
  const left = await provider().ensure(request('team', { enterNodes: false }), [], step)
  expect(left.cluster).toMatchObject({ nodes: [], whyNotEntered: 'the config says cluster.existing.enterNodes: false' })
})

test('removing it forgets what this machine keeps of it, and nothing else', async () => {
  const { cluster } = await provider().ensure(request('team'), [], step)
  await provider().remove(request('team'), step)
  expect(await files.exists(cluster.kubeconfig)).toBe(false)
  expect(await files.exists(first)).toBe(true)
})

test('a context that is nowhere is told with the nearest one, and where it was looked for', async () => {
  await expect(provider().find(request('teams'), step)).rejects.toMatchObject({
    code: 'CLUSTER-111',
    message: expect.stringContaining(first),
    hint: "Did you mean 'team'?",
  })
  await expect(provider().find(request('production-eu-west'), step)).rejects.toMatchObject({
    code: 'CLUSTER-111',
    hint: expect.stringContaining('other, team'),
  })
})

test('a kubeconfig with nothing in it takes nothing from the others', async () => {
  const [empty, remark] = [join(scratch, 'empty'), join(scratch, 'remark')]
  writeFileSync(empty, '')
  writeFileSync(remark, '# nothing yet\n')
  expect(await provider([empty, remark, first]).find(request('team'), step)).toBeDefined()
})

test('a kubeconfig that is not YAML is told by its name', async () => {
  const broken = join(scratch, 'broken')
  writeFileSync(broken, 'contexts: [')
  await expect(provider([broken]).find(request('team'), step)).rejects.toMatchObject({
    code: 'CLUSTER-111',
    message: expect.stringContaining(broken),
  })
})
