import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Ajv } from 'ajv'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { devkitOn } from '../devkit.ts'

const directory = mkdtempSync(join(tmpdir(), 'devkit-small-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const config = `project: shop
manifests: [k8s]
services:
  web:
    build: { context: . }
`
const web = `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
        - name: web
          image: registry.example.com/shop/web:1.0
          env: [{ name: DATABASE_URL, value: postgres://db:5432/shop }]
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80 }] }
`
const files = {
  Dockerfile: 'FROM scratch\n',
  'devkit.config.yaml': config,
  'k8s/web.yaml': web,
  'k8s/db.yaml': web
    .replaceAll('web', 'db')
    .replace(/ +env:.*\n/, '')
    .replace('port: 80 ', 'port: 5432 '),
  'machine.json': '{}',
}

beforeAll(() => {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), text)
  }
})

const devkit = (argv: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  // no engine answers there
  devkitOn(
    { directory, env: { DEVKIT_MACHINE: join(directory, 'machine.json'), DOCKER_HOST: `unix://${directory}/none`, ...env } },
    ...argv,
  )

test('one service with one Dockerfile needs five lines: the rest is inferred, and shown', async () => {
  expect(config.trim().split('\n').length).toBeLessThanOrEqual(10)
  const { code, stdout, stderr } = await devkit(['config', '--json'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const shown = JSON.parse(stdout)
  const schema = JSON.parse(readFileSync(join(import.meta.dirname, '../../../schema/resolved-config.json'), 'utf8')) as object
  expect(new Ajv().validate(schema, shown)).toBe(true)
  const image = 'registry.example.com/shop/web'
  expect(shown.config.services).toMatchObject({
    web: { image, workload: 'Deployment/web', ports: [{ port: 80 }], dependsOn: ['db'], build: { dockerfile: 'Dockerfile' } },
    db: { image: 'registry.example.com/shop/db', workload: 'Deployment/db', ports: [] },
  })
  expect(shown.plan.services.map(({ name }: { name: string }) => name)).toEqual(['db', 'web'])
  expect(shown.origins).toMatchObject({
    profile: 'default',
    env: 'default',
    project: 'devkit.config.yaml:1:10',
    'services.web.build.context': 'devkit.config.yaml:5:23',
    'services.web.build.dockerfile': 'default',
    'services.web.image': 'inferred from k8s/web.yaml:1',
    'services.web.ports.0.port': 'inferred from k8s/web.yaml:14',
    'services.db.workload': 'inferred from k8s/db.yaml:1',
    'profile.maxReplicas': 'dev (shipped)',
  })
  const rendered = await devkit(['render'])
  expect(rendered.code).toBe(0)
  // what is built runs, what is not is as production has it
  expect(rendered.stdout).toMatch(/image: registry\.example\.com\/shop\/web:(?!1\.0)/)
  expect(rendered.stdout).toMatch(/image: registry\.example\.com\/shop\/db:1\.0/)
})

test('a function is shown as one, with its place', async () => {
  const file = join(directory, 'functions.config.mjs')
  writeFileSync(
    file,
    `export default {
  project: 'shop',
  manifests: ['k8s'],
  profiles: { dev: { transform: (object) => object } },
}
`,
  )
  const { code, stdout } = await devkit(['config', '--config', file])
  expect(code).toBe(0)
  expect(stdout).toMatch(/^profile\.transform\.0 +a function +dev, functions\.config\.mjs:4:33$/m)
})

test('a rule has its place in the profile that added it, in config and where it does not fit', async () => {
  const file = join(directory, 'rules.config.mjs')
  const patch = (name: string, path: string) =>
    `{ name: '${name}', select: 'Deployment/web', patch: [{ op: 'add', path: '${path}', value: 1 }] }`
  const text = (path: string) => `export default {
  project: 'shop',
  manifests: ['k8s'],
  profiles: {
    base: { extends: 'dev', patches: [${patch('a', '/spec/replicas')}] },
    mine: { extends: 'base', patches: [
      ${patch('b', '/spec/replicas')},
      ${patch('c', path)},
    ] },
  },
}
`
  writeFileSync(file, text('/spec/replicas'))
  const { stdout } = await devkit(['config', '--config', file, '-p', 'mine'])
  for (const [number, origin] of [
    ['0', 'base, rules.config.mjs:5:47'],
    ['1', 'mine, rules.config.mjs:7:15'],
    ['2', 'mine, rules.config.mjs:8:15'],
  ])
    expect(stdout).toMatch(new RegExp(`^profile\\.patches\\.${number}\\.name +[abc] +${origin}$`, 'm'))
  writeFileSync(file, text('/spec/none/x'))
  const failed = await devkit(['render', '--config', file, '-p', 'mine'])
  expect(failed.code).toBe(2)
  expect(failed.stderr).toMatch(/RENDER-109 .*rules\.config\.mjs:8:7: patches\.c of the profile does not fit Deployment\/web/)
})

test('each value says what it comes from: a flag, a variable, a profile of the config', async () => {
  const { stdout } = await devkit(
    ['config', '--set', 'services.web.ports=[]', '--set', 'profiles.dev.maxReplicas=2', '-p', 'debug'],
    {
      DEVKIT_ENV: 'two',
    },
  )
  const line = (path: string): string => stdout.split('\n').find((one) => one.startsWith(`${path} `)) ?? ''
  expect(line('profile')).toMatch(/ debug +--profile$/)
  expect(line('env')).toMatch(/ two +DEVKIT_ENV$/)
  expect(line('services.web.ports')).toMatch(/ \[\] +--set services\.web\.ports$/)
  expect(line('profile.maxReplicas')).toMatch(/ 2 +dev, --set profiles\.dev\.maxReplicas$/)
  expect(line('services.web.dependsOn')).toMatch(/ \["db"\] +inferred from k8s\/web\.yaml:1$/)
  const profiled = await devkit(['config', '--json'], { DEVKIT_PROFILE: 'ci' })
  expect(JSON.parse(profiled.stdout)).toMatchObject({ plan: { profileName: 'ci' }, origins: { profile: 'DEVKIT_PROFILE' } })
})

test('a name that is no service is told with its place, after what the manifests have is known', async () => {
  const asked = (...names: string[]) => devkit(['config', '--set', `services.web.dependsOn=[${names.join()}]`])
  expect((await asked('db')).code).toBe(0)
  const { code, stderr } = await asked('dbb')
  expect(code).toBe(2)
  expect(stderr).toMatch(
    /PLAN-101[\s\S]*--set services\.web\.dependsOn: services\.web\.dependsOn\.0: there is no service 'dbb'[\s\S]*Did you mean 'db'/,
  )
})

test('so is one that a profile names, where the profile that was asked for only extends it', async () => {
  const { code, stderr } = await devkit(['config', '-p', 'ci', '--set', 'profiles.dev.services={wep: {replicas: 2}}'])
  expect(code).toBe(2)
  expect(stderr).toMatch(/--set profiles\.dev\.services: profiles\.dev\.services\.wep: there is no service 'wep'/)
})

test.each([
  ['image=registry.example.com/shop/wep', 'image', /PLAN-104/, 'registry.example.com/shop/web'],
  ['workload=Deployment/wep', 'workload', /PLAN-106/, 'Deployment/web'],
  ['ports=[{port: htp}]', 'ports', /PLAN-105/, '80'],
])('what the manifests have nothing of (%s) is told with its place', async (set, name, code, near) => {
  const { code: exit, stderr } = await devkit(['render', '--set', `services.web.${set}`])
  expect(exit).toBe(2)
  expect(stderr).toMatch(code)
  expect(stderr).toContain(`--set services.web.${name}: `)
  expect(stderr).toContain(near)
})

test('manifests that cannot be read leave the config to be shown', async () => {
  const { code, stdout, stderr } = await devkit(['config', '--set', 'manifests=[nowhere]'])
  expect(code).toBe(0)
  expect(stdout).toContain('services.web.build.context')
  expect(stderr).toMatch(/RENDER-103.*nowhere/)
})
