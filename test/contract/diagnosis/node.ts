import { afterAll, beforeAll } from 'vitest'
import type { KubeObject } from '../../../src/lib/objects.ts'
import { type ApiRig, openApiRig } from '../api-rig.ts'
import { container, deployment, type Fault, object, provoke, staysWell, type Twin } from './rig.ts'

/** What is provoked on such a machine is told so soon, one that does other things too; without them it takes a few seconds. In ms. */
export const soon = 15_000

export const timeout = 300_000

const settings = '/var/lib/kubelet/config.yaml'

/** A cluster of a file's own, to whose only node it may do harm. */
export function useNode(cluster: string) {
  let rig: ApiRig
  beforeAll(async () => {
    rig = await openApiRig(cluster)
  }, 240_000)
  afterAll(() => rig?.[Symbol.asyncDispose](), 60_000)
  const kubelet = (script: string): void => void rig.inNode('bash', '-c', `${script}; systemctl restart kubelet`)
  return {
    /** Its name. */
    node: `${cluster}-control-plane`,
    /** Provokes all of them beside each other. */
    provoke: (...faults: readonly Fault[]): Promise<unknown> => Promise.all(faults.map((fault) => provoke(rig, fault))),
    staysWell: (twin: Twin): Promise<void> => staysWell(rig, twin),
    kubectl: (...args: readonly string[]): string => rig.kubectl(args),
    /** Runs a program in the node. */
    run: (...command: readonly string[]): string => rig.inNode(...command),
    /** Takes away what the cases before have left, which takes room. */
    cleared(): void {
      const names = rig.kubectl(['get', 'namespaces', '-o', 'name']).split('\n')
      const left = names.filter((name) => name.startsWith('namespace/t-ill-'))
      if (left.length > 0) rig.kubectl(['delete', '--timeout=60s', ...left])
    },
    /** How many pods the kubelet runs at most; undefined: as many as at first. */
    maxPods: (count?: number): void =>
      kubelet(count === undefined ? `sed -i '/^maxPods/d' ${settings}` : `echo maxPods: ${count} >> ${settings}`),
    /** Has the kubelet take a threshold (`nodefs.available`) for reached. */
    short: (signal: string): void =>
      kubelet(
        `sed -i 's/^  ${signal}: .*//; s/^evictionHard:/evictionHard:\\n  ${signal}: 99%/; s/^evictionPressureTransitionPeriod: .*/evictionPressureTransitionPeriod: 1s/' ${settings}`,
      ),
    /** … and for far away again. */
    relieved: (signal: string, limit: string): void => kubelet(`sed -i 's/^  ${signal}: .*/  ${signal}: ${limit}/' ${settings}`),
  }
}

/** A pod of nobody. */
export function tool(spec: object = {}): KubeObject {
  return object('v1', 'Pod', 'tool', { spec: { terminationGracePeriodSeconds: 0, containers: [container()], ...spec } })
}

/** Waits until something runs; what does harm comes after that. */
export function running(...what: readonly string[]): NonNullable<Fault['afterwards']> {
  return (namespace, { kubectl }) => {
    for (const until of ['create', 'condition=Ready'])
      kubectl(['wait', `--for=${until}`, '-n', namespace, '--timeout=120s', ...what])
  }
}

type Case = Pick<Fault, 'what' | 'objects' | 'severity' | 'says'> & Required<Pick<Fault, 'afterwards'>>

/** A pod and a Deployment, each in a case of its own, to which harm comes once both run. `says`: what is then said of one. */
export function bothHarmed(harm: () => void, says: (name: string) => string | RegExp): readonly [Case, Case] {
  const podRuns = Promise.withResolvers<void>()
  return [
    {
      what: 'a pod',
      objects: [tool()],
      says: says('Pod/tool'),
      afterwards: async (namespace, one) => {
        await running('pod/tool')(namespace, one)
        podRuns.resolve()
      },
    },
    {
      what: 'a Deployment, which makes another',
      objects: [deployment(container())],
      severity: 'warning',
      says: says('Deployment/web'),
      afterwards: async (namespace, one) => {
        await running('pod', '-l', 'app=web')(namespace, one)
        await podRuns.promise
        harm()
      },
    },
  ]
}
