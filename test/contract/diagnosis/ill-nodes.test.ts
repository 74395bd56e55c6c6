import { test } from 'vitest'
import { bothHarmed, soon, timeout, useNode } from './node.ts'
import { container, deployment, job } from './rig.ts'

// Nodes that something is wrong with.

const { node, provoke, staysWell, kubectl, run, cleared, short, relieved } = useNode('t-ill-nodes')

test('READY-210, READY-214: a node that is short of disk', { timeout }, async () => {
  const disk = 'Make room on the disk of the engine: `docker system df` and `docker system prune`'
  const evicted = {
    code: 'READY-210',
    hint: `${disk}.`,
    evidence: /low on resource: ephemeral-storage|DiskPressure/,
    withinMs: 90_000,
  }
  const [pod, web] = bothHarmed(
    () => short('nodefs.available'),
    (name) => new RegExp(`^A pod of ${name} was evicted: its node was short of disk.*\\.$`),
  )
  await provoke({ ...evicted, ...pod }, { ...evicted, ...web })
  // a pod that comes before the taint is let in, and evicted
  kubectl(
    'wait',
    'node',
    node,
    `--for=jsonpath={.spec.taints[?(@.key=="node.kubernetes.io/disk-pressure")].effect}=NoSchedule`,
    '--timeout=60s',
  )
  const says = (name: string) => `No node takes a pod of ${name}: ${node} is short of disk, and keeps new pods away.`
  const hint = `${disk}; the kubelet takes the taint away 5 minutes later.`
  await provoke(
    {
      what: 'a Job',
      objects: [job(container())],
      code: 'READY-214',
      severity: 'warning',
      says: says('Job/task'),
      hint,
      withinMs: soon,
    },
    {
      what: 'a Deployment',
      objects: [deployment(container())],
      code: 'READY-214',
      says: says('Deployment/web'),
      hint,
      withinMs: 60_000,
    },
  )
  relieved('nodefs.available', '0%')
  // the taint goes a moment after the condition
  kubectl('wait', 'node', node, '--for=condition=DiskPressure=false', '--timeout=100s')
  await staysWell({ what: 'a node that is relieved', objects: [deployment(container())], warns: ['READY-214'] })
})

test('READY-211: a node that is short of memory', { timeout }, async () => {
  cleared()
  const evicted = {
    code: 'READY-211',
    hint: 'Give the engine more memory, or let less run there; a request (resources.requests.memory) keeps a pod longer than others.',
    evidence: /low on resource: memory|MemoryPressure/,
    withinMs: 90_000,
  }
  const [pod, web] = bothHarmed(
    () => short('memory.available'),
    (name) => new RegExp(`^A pod of ${name} was evicted: its node was short of memory.*\\.$`),
  )
  await provoke({ ...evicted, ...pod }, { ...evicted, ...web })
  relieved('memory.available', '1Mi')
  kubectl('wait', 'node', node, '--for=condition=MemoryPressure=false', '--timeout=100s')
  await staysWell({ what: 'a node that is relieved', objects: [deployment(container())], warns: ['READY-214'] })
})

test('READY-213, READY-185: a node that does not answer', { timeout }, async () => {
  cleared()
  const silent =
    'Look whether its machine or container runs (`docker ps`): `devkit stop` and `devkit start` start a node of devkit anew.'
  // the control plane notices after its grace period of 50 s
  const silentNode = { code: 'READY-213', hint: silent, severity: 'warning', withinMs: 100_000 } as const
  const [pod, web] = bothHarmed(
    () => void run('systemctl', 'stop', 'kubelet'),
    (name) => `The node ${node}, on which ${name} runs, does not answer.`,
  )
  await provoke({ ...silentNode, ...pod }, { ...silentNode, ...web })
  await provoke({
    what: 'a pod that waits for it',
    objects: [deployment(container())],
    code: 'READY-185',
    says: `No node takes a pod of Deployment/web: ${node} is not ready (it does not answer).`,
    hint: `Look at \`kubectl describe node ${node}\`; for a node of devkit's, \`devkit stop\` and \`devkit start\` start it anew.`,
    withinMs: 60_000,
  })
  await staysWell({
    what: 'a node that comes back',
    objects: [deployment(container())],
    warns: ['READY-185', 'READY-213'],
    before: () => {
      run('systemctl', 'start', 'kubelet')
      // its taint goes a moment later
      kubectl('wait', 'node', node, '--for=condition=Ready', '--timeout=120s')
    },
  })
})

test('READY-185: a node without a network', { timeout }, async () => {
  cleared()
  const [network, away] = ['/etc/cni/net.d/10-devkit.conflist', '/etc/cni/10-devkit.conflist']
  run('mv', network, away)
  kubectl('wait', 'node', node, '--for=condition=Ready=false', '--timeout=120s')
  await provoke({
    what: 'a Job that waits for it',
    objects: [job(container())],
    code: 'READY-185',
    severity: 'warning',
    says: new RegExp(`^No node takes a pod of Job/task: ${node} is not ready \\(container runtime network not ready: .*\\)\\.$`),
    hint: `Look at \`kubectl describe node ${node}\`; for a node of devkit's, \`devkit stop\` and \`devkit start\` start it anew.`,
    withinMs: soon,
  })
  await staysWell({
    what: 'a network that comes later',
    objects: [deployment(container())],
    warns: ['READY-185', 'READY-213'],
    afterwards: () => {
      run('mv', away, network)
      // it looks for one when it begins
      run('systemctl', 'restart', 'containerd')
    },
  })
})
