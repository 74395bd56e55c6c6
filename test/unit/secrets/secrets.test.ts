import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as v from 'valibot'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { overlaySecrets, secretsSchema } from '../../../src/config/secrets.ts'
import { contentsOf, valuesOf } from '../../../src/engine/secrets.ts'
import { ApiFailure } from '../../../src/kube/kube.ts'
import { DevkitError } from '../../../src/lib/errors.ts'
import type { KubeObject } from '../../../src/lib/objects.ts'
import type { Plan } from '../../../src/plan/plan.ts'
import { withSecrets } from '../../../src/render/transforms/secrets.ts'
import { dotenv } from '../../../src/secrets/dotenv.ts'
import { environment } from '../../../src/secrets/environment.ts'
import { generate } from '../../../src/secrets/generate.ts'
import { readSecrets, secretFiles, secretKeys } from '../../../src/secrets/read.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'devkit-secrets-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const write = (file: string, text: string): void => writeFileSync(join(directory, file), text)
const providers = (env: Readonly<Record<string, string>> = {}) => ({ dotenv, environment: environment({ env }), generate })
const input = (secrets: unknown) => ({
  secrets: v.parse(secretsSchema, secrets),
  directory,
  placeOf: async (path: readonly string[]) => `at ${path.join('.')}`,
})

/** Key → the text of the value. */
async function read(secrets: unknown, env?: Readonly<Record<string, string>>): Promise<Record<string, string>> {
  const all = await readSecrets(input(secrets), providers(env))
  return Object.fromEntries(
    all.flatMap(({ data }) => Object.entries(data)).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
  )
}

async function problem(secrets: unknown, env?: Readonly<Record<string, string>>): Promise<DevkitError> {
  const thrown = await read(secrets, env).catch((error: unknown) => error)
  if (!(thrown instanceof DevkitError)) throw new Error(`no problem: ${JSON.stringify(thrown)}`)
  return thrown
}

test('a .env file is read as its tools read it: quotes, export, several lines, comments, CRLF', async () => {
  write(
    '.env',
    `# ours\r\nPLAIN=a b # comment\r\nexport EXPORTED=yes\nSINGLE='a # "b" \\n'\nDOUBLE="one\\ntwo"\nEMPTY=\nLINES="-----BEGIN X-----\nabc\n-----END X-----"\nTWICE=1\nTWICE=2\n`,
  )
  expect(await read({ env: {} })).toEqual({
    PLAIN: 'a b',
    EXPORTED: 'yes',
    SINGLE: 'a # "b" \\n',
    DOUBLE: 'one\ntwo',
    EMPTY: '',
    LINES: '-----BEGIN X-----\nabc\n-----END X-----',
    TWICE: '2',
  })
})

test('the last source that has a value wins; a variable of the environment counts only where it is asked for', async () => {
  write('.env', 'A=file\nB=file\nUSER=app\n')
  write('.env.local', 'B=local\n')
  const files = [{ dotenv: '.env' }, { dotenv: '.env.local' }, { dotenv: '.env.none' }]
  expect(await read({ web: { from: files } }, { USER: 'ada', A: 'x' })).toEqual({ A: 'file', B: 'local', USER: 'app' })
  const from = [...files, { environment: { prefix: 'CI_' } }]
  const keys = { A: 'string', B: 'string', 'c.txt': { variable: 'C' } }
  expect(await read({ web: { from, keys } }, { CI_A: 'ci', CI_C: 'c', A: 'x' })).toEqual({ A: 'ci', B: 'local', 'c.txt': 'c' })
  expect(await read({ web: { from: [{ environment: { prefix: 'CI_' } }] } }, { CI_A: '1', OTHER: '2' })).toEqual({ A: '1' })
  expect(await secretFiles(input({ web: { from }, other: {} }), providers())).toEqual(['.env', '.env.local', '.env.none'])
  expect(await secretKeys(input({ web: { from, keys }, other: {} }), providers())).toEqual(
    new Map([
      ['web', ['A', 'B', 'c.txt']],
      ['other', ['A', 'B', 'USER']],
    ]),
  )
})

test('types: what fits becomes the bytes of the Secret', async () => {
  write('ca.pem', 'from a file\n')
  write(
    '.env',
    'N= 8080 \nT=true\nU=postgres://app:pw@db:5432/app?x=1\nJ={"a":[1]}\nB=aGVs\nF=ca.pem\nP="-----BEGIN KEY-----\\nabc\\n-----END KEY-----"\n',
  )
  const keys = { N: 'number', T: 'boolean', U: 'url', J: 'json', B: 'base64', F: { type: 'file' }, P: 'pem' }
  expect(await read({ web: { keys } })).toEqual({
    N: '8080',
    T: 'true',
    U: 'postgres://app:pw@db:5432/app?x=1',
    J: '{"a":[1]}',
    B: 'hel',
    F: 'from a file\n',
    P: '-----BEGIN KEY-----\nabc\n-----END KEY-----\n',
  })
})

test('all that is wrong at once, each with its place, none with its value', async () => {
  const sentinel = 'hunter2'
  write('.env', ['N', 'T', 'U', 'J', 'B', 'F', 'P'].map((name) => `${name}=${sentinel}-\n`).join(''))
  const keys = { N: 'number', T: 'boolean', U: 'url', J: 'json', B: 'base64', F: 'file', P: 'pem', DATABASE_URL: 'url' }
  const { code, message, hint } = await problem({ web: { keys }, none: { from: [{ dotenv: '.env.none' }] } })
  expect(code).toBe('SECRET-102')
  expect(message.split('\n')).toEqual([
    '9 problems with secrets:',
    '.env:1: N of Secret/web has to be a number.',
    '.env:2: T of Secret/web has to be true or false.',
    '.env:3: U of Secret/web has to be a URL such as postgres://user@host/name.',
    '.env:4: J of Secret/web has to be JSON.',
    '.env:5: B of Secret/web has to be base64.',
    '.env:6: F of Secret/web has to be the path of a file that can be read, relative to the config.',
    expect.stringContaining('.env:7: P of Secret/web has to be PEM'),
    'at secrets.web.keys.DATABASE_URL: Secret/web has no value for DATABASE_URL.',
    'at secrets.none: Secret/none is empty: .env.none has no value.',
  ])
  expect(message + hint).not.toContain(sentinel)
})

test('a missing value: the nearest name, and how to give it', async () => {
  write('.env', 'DATABASE_ULR=postgres://db/app\n')
  const from = [{ dotenv: '.env' }, { environment: { prefix: 'SHOP_' } }]
  expect(await problem({ web: { from, keys: { DATABASE_URL: 'url', OTHER: { optional: true } } } })).toMatchObject({
    code: 'SECRET-101',
    message: 'at secrets.web.keys.DATABASE_URL: Secret/web has no value for DATABASE_URL; there is a DATABASE_ULR.',
    hint: 'Write DATABASE_URL=… into .env, or set the variable SHOP_DATABASE_URL.',
  })
})

test.each([
  ['A="open\nB=1\n', '.env:1', 'its quote is not closed'],
  ['B=1\nexport A=pass#word\n', '.env:2', 'it ends at its `#`'],
])('what nobody means is told: %j', async (text, place, why) => {
  write('.env', text)
  const { code, message } = await problem({ web: {} })
  expect({ code, message }).toEqual({
    code: 'SECRET-103',
    message: expect.stringMatching(new RegExp(`^${place}: the value of A is not what it seems: ${why}`)),
  })
  expect(message).not.toMatch(/open|pass|word/)
})

test('a file that a value names is one that the Secret has its values from; what is no file stays untold', async () => {
  write('.env', 'CERT=tls.pem\nKEY=hunter2\nNAME=tls.pem\n')
  const secrets = input({ web: { keys: { CA: { type: 'file', variable: 'CERT' }, KEY: 'file', NAME: 'string' } } })
  expect(await secretFiles(secrets, providers())).toEqual(['.env'])
  write('tls.pem', '-')
  expect(await secretFiles(secrets, providers())).toEqual(['.env', 'tls.pem'])
})

test('a source that is no file, or none in UTF-8, is told', async () => {
  expect(await problem({ web: { from: [{ dotenv: '.' }] } })).toMatchObject({ code: 'SECRET-103' })
  writeFileSync(join(directory, '.env'), Buffer.from('\ufeffA=1\n', 'utf16le'))
  expect(await problem({ web: {} })).toMatchObject({
    code: 'SECRET-103',
    message: '.env cannot be read: it is no text in UTF-8.',
  })
})

test('what is made up is made up once: the Secret of the cluster is where it is kept, a source goes before it', async () => {
  const secrets = v.parse(secretsSchema, { web: { keys: { A: { generate: 40 }, B: { generate: 8 }, C: { generate: 8 } } } })
  const plan = { secrets, directory, namespace: 'shop', profileOrigins: {} } as unknown as Plan
  write('.env', 'C=given\n')
  const made = async (live: Readonly<Record<string, string>> | undefined) => {
    const get = async (): Promise<KubeObject | undefined> =>
      live && { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'web' }, data: live }
    const values = await valuesOf(plan, { tools: { secrets: providers() } })
    const [content] = await contentsOf(plan, values, { get }, { tools: { secrets: providers() } }, new AbortController().signal)
    return content?.data ?? {}
  }
  const text = (value = ''): string => Buffer.from(value, 'base64').toString()
  const first = await made(undefined)
  expect(text(first['A'])).toMatch(/^[A-Za-z0-9]{40}$/)
  expect(text(first['B'])).toMatch(/^[A-Za-z0-9]{8}$/)
  expect(text(first['C'])).toBe('given')
  expect((await made(undefined))['A']).not.toBe(first['A'])
  expect(await made({ ...first, C: 'b2xk', left: 'b2xk' })).toEqual(first)
})

test('a Secret of the cluster that may not be read is told', async () => {
  const secrets = v.parse(secretsSchema, { web: { keys: { A: { generate: 8 } } } })
  const plan = { secrets, directory, namespace: 'shop', profileOrigins: {} } as unknown as Plan
  const get = async () => Promise.reject(new ApiFailure(403, 'Forbidden', 'secrets "web" is forbidden'))
  const contents = contentsOf(
    plan,
    await valuesOf(plan, { tools: { secrets: providers() } }),
    { get },
    { tools: { secrets: providers() } },
    new AbortController().signal,
  )
  await expect(contents).rejects.toMatchObject({ code: 'SECRET-104', message: expect.stringContaining('Secret/web') })
})

test('a Secret of the manifests keeps what the config does not name; a new one is added', () => {
  const origin = { file: 'k8s/secret.yaml', line: 1 }
  const secret = (name: string, rest: object): KubeObject => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, ...rest })
  const web = secret('web', { type: 'x', data: { a: 'YQ==', b: 'Yg==' }, stringData: { a: 'over', c: 'c' } })
  const other = secret('other', { data: { a: 'YQ==' } })
  const laid = withSecrets(
    [web, other].map((object) => ({ object, origin })),
    [
      { name: 'web', type: undefined, data: { a: 'bmV3' } },
      { name: 'more', type: undefined, data: { k: 'bmV3' } },
    ],
    { namespace: 'shop', configFile: 'devkit.config.ts' },
  )
  expect(laid[2]?.origin).toEqual({ file: 'devkit.config.ts', line: 1 })
  expect(laid.map(({ object }) => object)).toEqual([
    secret('web', { type: 'x', data: { a: 'bmV3', b: 'Yg==' }, stringData: { c: 'c' } }),
    other,
    { ...secret('more', { type: 'Opaque', data: { k: 'bmV3' } }), metadata: { name: 'more', namespace: 'shop' } },
  ])
  expect(laid[1]?.object).toBe(other)
})

test('what is missing has the place of whoever named it: the config or a profile', async () => {
  const secrets = v.parse(secretsSchema, { web: { keys: { A: 'url', B: 'url' } } })
  const plan = { secrets, directory, profileOrigins: { 'secrets.web.keys.B': 'dev' } } as unknown as Plan
  const placeOf = async (path: readonly string[]) => path.join('/')
  await expect(valuesOf(plan, { tools: { secrets: providers() }, placeOf })).rejects.toMatchObject({
    code: 'SECRET-101',
    message: expect.stringMatching(/^2 .*\nsecrets\/web\/keys\/A: .*\nprofiles\/dev\/secrets\/web\/keys\/B: /),
  })
})

test('a profile lays its Secrets over the config’s, key by key', () => {
  const under = v.parse(secretsSchema, { web: { type: 't', from: [{ dotenv: '.env' }], keys: { A: 'url', B: 'url' } }, kept: {} })
  const over = v.parse(secretsSchema, { web: { from: [{ dotenv: '.env.ci' }], keys: { B: 'number' } }, added: {} })
  expect(overlaySecrets(under, over)).toEqual({
    web: { type: 't', from: [{ dotenv: '.env' }, { dotenv: '.env.ci' }], keys: { A: 'url', B: 'number' } },
    kept: {},
    added: {},
  })
})
