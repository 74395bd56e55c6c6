import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Preview, preview } from '../../../src/engine/preview.ts'
import { outlineOf } from '../../../src/engine/render.ts'
import { podSpecOf } from '../../../src/lib/objects.ts'
import type { Plan } from '../../../src/plan/plan.ts'
import { commandOf, hasShellOfNode, isSupervised } from '../../../src/render/transforms/supervisor.ts'
import { devkitIn, partsWith, planIn, writeApp } from './rig.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'devkit-preview-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const project = (container?: object): void => writeApp(directory, container)
const plan = (profile?: Plan['profile']): Plan => planIn(directory, profile)
const rendered = (wanted: Plan, shell: Parameters<typeof partsWith>[0]): Promise<Preview> =>
  preview(wanted, partsWith(shell), { signal: new AbortController().signal })

function web({ manifests: all }: Preview) {
  const container = all.flatMap(({ object }) => podSpecOf(object)?.containers ?? [])[0]
  if (!container) throw new Error('no container')
  return container
}

test('an image that the engine has is shown under its supervisor, by the name that runs', async () => {
  project()
  const shown = await rendered(plan(), true)
  expect(shown.notes).toEqual([])
  expect(isSupervised(web(shown))).toBe(true)
  expect(commandOf(web(shown))).toEqual(['perl', '/app/serve.pl'])
  expect(web(shown).image).toMatch(/^registry\.example\.com\/shop\/web:devkit-[0-9a-f]{12}$/)
  expect(isSupervised(web(await rendered(plan({ supervise: false }), true)))).toBe(false)
  // another tree, another image
  writeFileSync(join(directory, 'app/src/page.txt'), 'changed\n')
  expect(web(await rendered(plan(), true)).image).not.toBe(web(shown).image)
})

test('an image without a shell is shown under its node’s, and whose it is is told; where there is none it runs alone', async () => {
  project()
  const bare = await rendered(plan(), false)
  expect([isSupervised(web(bare)), hasShellOfNode(web(bare)), commandOf(web(bare))]).toEqual([
    true,
    true,
    ['perl', '/app/serve.pl'],
  ])
  expect(bare.remarks).toEqual([expect.stringMatching(/^web: its image has no shell, so its node's/)])
  const existing = { spec: { existing: { context: 'theirs' } }, name: 'theirs', project: 'shop', hostPorts: [] }
  const theirs = planIn(directory, { supervise: true }, { cluster: existing })
  const other = preview(plan(), partsWith(false, 's390x'), { signal: new AbortController().signal })
  for (const alone of [await rendered(theirs, false), await other])
    expect({ supervised: isSupervised(web(alone)), remarks: alone.remarks }).toEqual({ supervised: false, remarks: [] })
})

test('what production has in a namespace of its own is in the environment’s; some of it alone is not', async () => {
  project()
  const file = join(directory, 'k8s/app.yaml')
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, text.replaceAll(/"metadata": \{\n {4}"name"/g, '"metadata": {\n    "namespace": "production",\n    "name"'))
  const { manifests } = await rendered(planIn(directory, {}, { namespace: 'shop-two' }), true)
  expect(manifests.map(({ object }) => object.metadata.namespace)).toEqual(['shop-two', 'shop-two'])
  writeFileSync(file, text.replace('"name"', '"namespace": "production",\n    "name"'))
  await expect(rendered(plan(), true)).rejects.toMatchObject({ code: 'PLAN-107' })
})

test.each(['none', undefined] as const)(
  'an image that is not there (%s): what the manifest says is shown, what only the image says is told',
  async (shell) => {
    project()
    const why = shell === undefined ? 'no container engine answers' : 'its image is not built yet'
    const unknown = await rendered(plan(), shell)
    expect(isSupervised(web(unknown))).toBe(false)
    expect(unknown.notes).toEqual([expect.stringMatching(new RegExp(`^web: ${why}, so what it runs is not known`))])
    project({ command: ['perl'], args: ['/app/other.pl'] })
    const known = await rendered(plan(), shell)
    expect(commandOf(web(known))).toEqual(['perl', '/app/other.pl'])
    expect(isSupervised(web(known))).toBe(true)
    expect(known.notes).toEqual([expect.stringMatching(new RegExp(`^web: ${why}: shown as if`))])
  },
)

test('a profile that supervises nothing needs to know nothing of images', async () => {
  project()
  const shown = await rendered(plan({}), undefined)
  expect({ supervised: isSupervised(web(shown)), notes: shown.notes }).toEqual({ supervised: false, notes: [] })
})

test('devkit render works where no engine is, and says on stderr what it could not know', async () => {
  project()
  const dev = await devkitIn(directory, 'render')
  expect(dev).toMatchObject({ code: 0, stderr: expect.stringContaining('web: no container engine answers') })
  expect(dev.stdout).toContain('kind: Deployment')
  expect(await devkitIn(directory, 'render', '--quiet')).toEqual({ ...dev, stderr: '' })
  const production = await devkitIn(directory, 'render', '-p', 'production')
  expect({ ...production, stdout: /devkit/.test(production.stdout) }).toEqual({ code: 0, stdout: false, stderr: '' })
})

test('devkit render --out writes a file for each object, and tells where it cannot', async () => {
  project()
  const route = 'apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: { name: web }\n'
  writeFileSync(join(directory, 'k8s/more.yaml'), route)
  const out = (path: string) => devkitIn(directory, 'render', '-p', 'production', '--out', path)
  expect(await out('o ut')).toEqual({ code: 0, stdout: '', stderr: '' })
  expect(readdirSync(join(directory, 'o ut'))).toEqual(
    expect.arrayContaining(['deployment_web.yaml', 'service_web.yaml', 'serving.knative.dev_service_web.yaml']),
  )
  expect(readFileSync(join(directory, 'o ut/service_web.yaml'), 'utf8')).toContain('apiVersion: v1')
  expect(await out('k8s/more.yaml')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/CONFIG-001 .*more\.yaml cannot be written: /),
  })
})

test('devkit render says on stderr what the profile leaves out, and why', async () => {
  project()
  const monitor = 'apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: { name: web }\n'
  const scaler = 'apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: { name: web }\n'
  writeFileSync(join(directory, 'k8s/more.yaml'), `${monitor}---\n${scaler}`)
  const dev = await devkitIn(directory, 'render', '-p', 'dev')
  expect(dev.stderr).toContain(
    'ServiceMonitor/web left out: a new cluster has no kind ServiceMonitor of monitoring.coreos.com (dev (shipped): foreignKinds)\n',
  )
  expect(dev.stderr).toContain('HorizontalPodAutoscaler/web left out: there is one pod of each (dev (shipped): skip.')
  expect(dev.stdout).not.toMatch(/ServiceMonitor|HorizontalPodAutoscaler/)
  const production = await devkitIn(directory, 'render', '-p', 'production')
  expect(production).toMatchObject({ stderr: '', stdout: expect.stringMatching(/ServiceMonitor[\s\S]*HorizontalPodAutoscaler/) })
})

test('a service whose workload the profile leaves out is none of the environment', async () => {
  project()
  const without = plan({ supervise: true, skip: { 'Deployment/web': true } })
  const { source, notes, manifests } = await rendered(without, undefined)
  expect(outlineOf(without, source).plan.services).toEqual([])
  expect({ notes, kinds: manifests.map(({ object }) => object.kind) }).toEqual({ notes: [], kinds: ['Service'] })
  expect(outlineOf(plan(), source).plan.services).toEqual(plan().services)
})

test('waves that are no whole numbers are told all at once, before anything is made', async () => {
  project()
  const settings = (name: string, wave: string): string =>
    `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n  annotations: { argocd.argoproj.io/sync-wave: '${wave}' }\n`
  writeFileSync(join(directory, 'k8s/settings.yaml'), `${settings('a', 'first')}---\n${settings('b', '1.5')}`)
  await expect(rendered(plan(), true)).rejects.toMatchObject({
    code: 'RENDER-110',
    message: expect.stringMatching(
      /^2 problems in the manifests:\n.*ConfigMap\/a is "first".*\n.*ConfigMap\/b is "1\.5".*settings\.yaml/,
    ),
  })
})
