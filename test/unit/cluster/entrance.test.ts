import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { doubtOf, entranceTo, matchByName } from '../../../src/cluster/entrance.ts'
import { openEngine } from '../../../src/host/engine.ts'

const { signal } = new AbortController()
const openKube = () => Promise.reject(new Error('the cluster need not be asked'))
let scratch: string
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'devkit-entrance-'))
})
afterEach(() => rmSync(scratch, { recursive: true }))

const container = (name: string, id = `${name}-0123456789abcdef`) => ({ name, id, state: 'running' })

test('every node has a container of its name, or none is entered', () => {
  expect(matchByName(['minikube'], [container('other'), container('minikube', '4f3c0123456789abcdef')])).toEqual([
    { node: 'minikube', id: '4f3c0123456789abcdef' },
  ])
  expect(matchByName(['minikube', 'minikube-m02'], [container('minikube')])).toBe(
    'its node minikube-m02 is no container of this machine',
  )
  expect(matchByName(['ip-10-0-0-7'], [container('minikube')])).toBe('none of its nodes is a container of this machine')
  expect(matchByName([], [container('minikube')])).toBe('none of its nodes is a container of this machine')
})

test('a container is the node when it knows a container that the cluster tells of', () => {
  const told = ['containerd://aaaa', 'containerd://bbbb']
  expect(doubtOf('minikube', told, ['zzzz', 'bbbb', ''])).toBeUndefined()
})

test('a container of the same name that runs other things is not the node', () => {
  const wrong = 'the container minikube of this machine is not its node of that name'
  expect(doubtOf('minikube', ['containerd://aaaa'], ['bbbb'])).toBe(wrong)
  expect(doubtOf('minikube', ['containerd://aaaa'], [''])).toBe(wrong)
  expect(doubtOf('minikube', ['containerd://', 'containerd://aaaa'], [''])).toBe(wrong)
})

test('a node whose containers are run by something else is not entered', () => {
  const why = 'its node minikube runs containers by docker, not by containerd'
  expect(doubtOf('minikube', ['docker://aaaa'], ['aaaa'])).toBe(why)
})

test('an engine that is away is told at once', async () => {
  const { containers, whyNot } = await entranceTo(
    'kubeconfig',
    { engine: () => openEngine(`unix://${join(scratch, 'no.sock')}`), openKube },
    signal,
  )
  expect([...containers]).toEqual([])
  expect(whyNot).toContain('No container engine answers')
})

test('an engine that says nothing delays by a second', async () => {
  const sockets: Socket[] = []
  const server = createServer((socket) => void sockets.push(socket))
  const address = join(scratch, 'silent.sock')
  await new Promise<void>((resolve) => server.listen(address, resolve))
  const since = performance.now()
  const { containers, whyNot } = await entranceTo(
    'kubeconfig',
    { engine: () => openEngine(`unix://${address}`), openKube },
    signal,
  )
  expect([...containers]).toEqual([])
  expect(whyNot).toContain('took too long')
  expect(performance.now() - since).toBeLessThan(3000)
  expect(sockets).toHaveLength(1)
  for (const socket of sockets) socket.destroy()
  server.close()
})

test('a run that is ended while it looks ends', async () => {
  const abort = new AbortController()
  abort.abort(new Error('ended'))
  const engine = () => openEngine(`unix://${join(scratch, 'no.sock')}`)
  await expect(entranceTo('kubeconfig', { engine, openKube }, abort.signal)).rejects.toThrow('ended')
})
