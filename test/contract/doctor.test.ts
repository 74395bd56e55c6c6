import { expect, test } from 'vitest'
import type { Doctor } from '../../src/events/doctor.ts'
import { useProject } from './program.ts'

// The doctor on a cluster that somebody else made, from a machine without an engine.

const used = useProject('t-doctor')

async function examined() {
  const { code, events } = await used.project.run(['doctor'])
  const { checks } = events[0] as unknown as Doctor
  return { code, of: (area: string, name: string) => checks.find((check) => check.area === area && check.name === name) }
}

test('a cluster that exists is looked at by its API alone; the engine that is not there is told', async () => {
  used.project.write({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } })
  // the cluster may be a new one
  await used.rig.kubectlUntil(['wait', 'deployment/coredns', '-n', 'kube-system', '--for=condition=Available', '--timeout=120s'])
  const { code, of } = await examined()
  expect(code).toBe(1)
  expect(of('engine', 'answers')).toMatchObject({ verdict: 'failure', code: 'ENGINE-101' })
  expect(of('cluster', 'state')).toMatchObject({ verdict: 'ok', said: expect.stringContaining(used.rig.context) })
  for (const name of ['API', 'clock', 'room', 'DNS', 'rights']) expect(of('cluster', name)).toMatchObject({ verdict: 'ok' })
  expect(of('cluster', 'saves')).toMatchObject({ verdict: 'ok', said: expect.stringContaining('its API') })
  expect(of('environment', 'services')).toMatchObject({ verdict: 'ok' })
})
