import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installPacked } from '../e2e/tools/packed.ts'
import type { Row } from './figures.ts'

/** The config and the manifests of the packed program, in ms beyond a Node that does nothing. Needs no engine. */
export async function config(n: number, signal: AbortSignal): Promise<readonly Row[]> {
  const { bin, remove } = installPacked()
  const home = mkdtempSync(join(tmpdir(), 'devkit-bench-config-'))
  try {
    return measure(bin, home, n, signal)
  } finally {
    remove()
    rmSync(home, { recursive: true, force: true })
  }
}

function measure(bin: string, home: string, n: number, signal: AbortSignal): readonly Row[] {
  const env = { PATH: process.env['PATH'], HOME: home }
  const devkit = (objects: number, ...args: string[]) => [bin, '-C', project(home, objects), ...args]
  const rows = [
    // a profile that is not there ends it after all that a verb does with its config before it looks at manifests
    {
      id: 'load',
      what: 'load and check a config of 50 services',
      most: 60,
      exit: 2,
      args: devkit(100, 'config', '-p', 'nowhere'),
    },
    { id: 'config', what: 'devkit config: 50 services, inferred from 100 objects', exit: 0, args: devkit(100, 'config') },
    {
      id: 'render-300',
      what: 'devkit render: 300 objects with pre-flight',
      most: 300,
      exit: 0,
      args: devkit(300, 'render', '--json'),
    },
    {
      id: 'render-1000',
      what: 'devkit render: 1,000 objects of production',
      most: 300,
      exit: 0,
      args: devkit(1000, 'render', '--json', '-p', 'production'),
    },
  ].map((row) => ({ ...row, ms: [] as number[] }))
  const time = (args: readonly string[], exit: number): number => {
    signal.throwIfAborted()
    const began = performance.now()
    const { status, stderr } = spawnSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'], env })
    if (status !== exit) throw new Error(`${args.join(' ')} ended with ${status}:\n${stderr}`)
    return performance.now() - began
  }
  // one of each in turn, each beside its own Node: a busy second hits all alike; the first round fills caches
  for (let round = 0; round <= n; round++)
    for (const { args, exit, ms } of rows) {
      const own = time(['-e', '0'], 0)
      const whole = time(args, exit)
      if (round > 0) ms.push(whole - own)
    }
  return rows.map(({ id, what, most, ms }) => ({ id, what, unit: 'ms', values: ms, ...(most ? { target: { p50: most } } : {}) }))
}

/** A project of 50 services and so many objects, a Deployment and a Service in turn; the directory of it. */
function project(home: string, objects: number): string {
  const directory = join(home, `project-${objects}`)
  mkdirSync(join(directory, 'k8s'), { recursive: true })
  const service = (index: number): string =>
    `s${index}: { image: 'example.com/s${index}', sync: [{ from: 's${index}', to: '/app' }], ports: [{ port: 'http' }]${index > 0 ? `, dependsOn: ['s${index - 1}']` : ''} },`
  const services = Array.from({ length: 50 }, (_, index) => service(index))
  writeFileSync(
    join(directory, 'devkit.config.ts'),
    `import { defineConfig } from 'devkit'\n\nexport default defineConfig({\n  project: 'bench',\n  manifests: ['k8s'],\n  services: {\n    ${services.join('\n    ')}\n  },\n})\n`,
  )
  for (let index = 0; index < objects / 2; index++) writeFileSync(join(directory, `k8s/s${index}.yaml`), manifestsOf(`s${index}`))
  return directory
}

function manifestsOf(name: string): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
  labels: { app: ${name} }
spec:
  replicas: 2
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      containers:
        - name: main
          image: example.com/${name}:1.0
          ports: [{ name: http, containerPort: 8080 }]
          env:
            - { name: MODE, value: production }
            - name: ADDRESS
              valueFrom: { fieldRef: { fieldPath: status.podIP } }
          readinessProbe: { httpGet: { path: /, port: http } }
          resources:
            requests: { cpu: 1m, memory: 1Mi }
            limits: { cpu: 500m, memory: 128Mi }
---
apiVersion: v1
kind: Service
metadata:
  name: ${name}
spec:
  selector: { app: ${name} }
  ports: [{ name: http, port: 80, targetPort: http }]
`
}
