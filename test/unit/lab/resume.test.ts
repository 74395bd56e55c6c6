import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type MachineFacts, machineProblem } from '../../lab/lab.ts'
import { startOf } from '../../lab/lock.ts'
import { placesOf } from '../../lab/places.ts'
import { endProcesses, processesWithEnv } from '../../lab/processes.ts'

// The lab in a place of its own, with scripts that take no time in the place of the recipe, killed in the middle of each of them.

const lab = join(import.meta.dirname, '../../lab/lab.ts')
const debian: MachineFacts = { release: 'ID=debian\nVERSION_ID="12"\n', architecture: 'x64', uid: 0 }
let place: string
let env: NodeJS.ProcessEnv

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'dk-lab-'))
  for (const name of ['bin', 'recipe', 'state']) mkdirSync(join(place, name))
  env = {
    PATH: `${join(place, 'bin')}:${process.env['PATH']}`,
    HOME: place,
    XDG_CACHE_HOME: join(place, 'cache'),
    XDG_RUNTIME_DIR: join(place, 'run'),
    FAKE: join(place, 'state'),
    FAKE_NODE: process.execPath,
  }
  const program = (path: string, script: string): void => {
    writeFileSync(join(place, path), `#!/bin/bash\nset -eu\n${script}\n`)
    chmodSync(join(place, path), 0o755)
  }
  // nothing of the machine is changed
  for (const name of ['runc', 'iptables', 'mmdebstrap', 'ip', 'gcc', 'sysctl', 'apt-get', 'dpkg']) program(`bin/${name}`, ':')
  program('bin/go', 'echo go1.26')
  // makes FILE: half of it first; while the test holds the step, it stays at that
  const makes = (step: string, file: string, whole = 'whole'): string => `
echo "${step}" >> "$FAKE/begun"; mkdir -p "$(dirname "${file}")"; printf half > "${file}"; mkdir -p "$TMPDIR/rest-of-${step}"
if [ -e "$FAKE/hold-${step}" ]; then echo $$ > "$FAKE/part-${step}"; mv "$FAKE/part-${step}" "$FAKE/held-${step}"; exec sleep 1000; fi
printf '${whole}' > "${file}"`
  program(
    'recipe/engine-programs.sh',
    `mkdir -p $1/bin $1/usr/sbin; cp "$FAKE/dockerd" $1/usr/sbin/dockerd; cp "$FAKE/docker" $1/bin/docker; ${makes('engine-programs', '$1/kind-part')}; mv $1/kind-part $1/bin/kind`,
  )
  program('recipe/program.sh', makes('$1', '$2'))
  program('recipe/rootfs.sh', `${makes('rootfs', '$1.part')}; mv $1.part $1`)
  program('recipe/base-image.sh', `${makes('base-image', '$1.part')}; mv $1.part $1`)
  program('recipe/node-image.sh', `${makes('node-image', '$TMPDIR/part')}; printf $5 > "$FAKE/image-\${4//[:\\/]/_}"`)
  // an engine that answers, and a docker that knows the keys of images
  program(
    'state/dockerd',
    `exec "$FAKE_NODE" -e '
const [, , args] = [0, 0, process.argv.slice(1)]; const at = (name) => args[args.indexOf(name) + 1]
require("fs").writeFileSync(at("--pidfile"), String(process.pid))
require("http").createServer((_, answer) => answer.end("[]")).listen(at("--host").slice(7))' -- "$@"`,
  )
  program(
    'state/docker',
    `case $1 in
image) name="$FAKE/image-\${5//[:\\/]/_}"; [ -e "$name" ] || { echo "Error: No such image: $5" >&2; exit 1; }; cat "$name" ;;
import) key=$(sed 's/.*dev.devkit.lab=\\([0-9a-f]*\\).*/\\1/' <<< "$*"); for name; do :; done; printf %s "$key" > "$FAKE/image-\${name//[:\\/]/_}" ;;
esac`,
  )
})
afterEach(async () => {
  await endProcesses(processesWithEnv(`FAKE=${env['FAKE']}`), new AbortController().signal)
  rmSync(place, { recursive: true, force: true })
})

function start(): ChildProcess {
  const options = JSON.stringify({ recipe: join(place, 'recipe'), machine: debian })
  const program = `import { labUp } from ${JSON.stringify(lab)}
import { placesOf } from ${JSON.stringify(join(lab, '../places.ts'))}
await labUp({ say: (line) => console.error(line), signal: new AbortController().signal }, placesOf(process.env), ${options})`
  return spawn(process.execPath, ['--input-type=module', '--eval', program], { env, stdio: ['ignore', 'ignore', 'pipe'] })
}

async function end(child: ChildProcess): Promise<{ readonly code: number | null; readonly said: string }> {
  const closed = once(child, 'close')
  const said = child.stderr ? await text(child.stderr) : ''
  const [code] = (await closed) as [number | null]
  return { code, said }
}

/** Content of a file of the fakes, once it is there. */
async function fileOf(name: string): Promise<string> {
  const file = join(place, 'state', name)
  const there = Promise.withResolvers<void>()
  const watcher = watch(join(place, 'state'), () => existsSync(file) && there.resolve())
  if (existsSync(file)) there.resolve()
  await there.promise
  watcher.close()
  return readFileSync(file, 'utf8').trim()
}

const begun = (): readonly string[] => readFileSync(join(place, 'state/begun'), 'utf8').trim().split('\n')

test('killed in the middle of any step, the next run ends what it left, and makes that step whole and no other again', {
  timeout: 60_000,
}, async () => {
  // two at a time where two lanes run
  const rounds = [['engine-programs'], ['hyperkube', 'rootfs'], ['pause', 'base-image'], ['node-image']]
  const steps = rounds.flat()
  const left: { step: string; pid: number }[] = []
  for (const held of rounds) {
    for (const step of held) writeFileSync(join(place, `state/hold-${step}`), '')
    const run = start()
    const ended = end(run)
    const tooSoon = ended.then(({ said }) => Promise.reject(new Error(`ended before ${held}: ${said}`)))
    const pids = await Promise.race([Promise.all(held.map((step) => fileOf(`held-${step}`))), tooSoon])
    run.kill('SIGKILL')
    await ended
    for (const [index, step] of held.entries()) {
      // the script is in a group of its own: it lives on, with half a file
      const pid = Number(pids[index])
      expect({ step, lives: startOf(pid) !== undefined }).toEqual({ step, lives: true })
      left.push({ step, pid })
      rmSync(join(place, `state/hold-${step}`))
    }
  }
  const { code, said } = await end(start())
  expect({ code, said }).toEqual({ code: 0, said: expect.stringContaining('of a run that was killed') })
  for (const { step, pid } of left) expect({ step, lives: startOf(pid) !== undefined }).toEqual({ step, lives: false })
  const cache = placesOf(env).cache
  expect(processesWithEnv(`DEVKIT_LAB_STEP=${cache}`)).toEqual([])
  expect(existsSync(join(cache, 'work/tmp/rest-of-node-image'))).toBe(false)
  for (const step of steps) expect({ step, times: begun().filter((name) => name === step).length }).toEqual({ step, times: 2 })
  for (const name of ['coredns', 'helm', 'etcd', 'localpath'])
    expect({ name, times: begun().filter((one) => one === name).length }).toEqual({ name, times: 1 })
  const settings = JSON.parse(readFileSync(placesOf(env).settings, 'utf8')) as {
    engine: string
    tools: { helm: string; kubectl: string }
  }
  expect(settings.engine).toBe(`unix://${join(place, 'run/devkit-lab/docker.sock')}`)
  expect(readFileSync(settings.tools.helm, 'utf8')).toBe('whole')
  expect(readFileSync(settings.tools.kubectl, 'utf8')).toBe('whole')
})

test('with everything there a run says nothing and makes nothing; after its engine was killed it starts only that', {
  timeout: 60_000,
}, async () => {
  const first = await end(start())
  expect(first.code).toBe(0)
  // said before it happens: what, how much, how long
  expect(first.said).toMatch(/downloads: .*\(120 MB\)[\s\S]*expected: about \d+ min[\s\S]*… engine programs/)
  const made = begun()
  expect(await end(start())).toEqual({ code: 0, said: '' })
  process.kill(Number(readFileSync(join(place, 'run/devkit-lab/docker.pid'), 'utf8')), 'SIGKILL')
  const third = await end(start())
  expect(third).toEqual({ code: 0, said: expect.stringContaining('Starting the lab’s engine; everything else is there') })
  expect(begun()).toEqual(made)
})

test('an engine whose data was lost gets its images again', async () => {
  await end(start())
  rmSync(join(place, 'state/image-debian_bookworm-slim'))
  expect((await end(start())).code).toBe(0)
  expect(begun().filter((step) => step === 'base-image')).toHaveLength(2)
  expect(begun().filter((step) => step === 'node-image')).toHaveLength(1)
})

test('another system, or another user than root, is told its choices', () => {
  expect(machineProblem(debian)).toBeUndefined()
  for (const other of [
    { release: 'ID=ubuntu\nVERSION_ID="24.04"\n' },
    { release: 'ID=debian\nVERSION_ID="13"\n' },
    { release: '' },
    { architecture: 'arm64' },
    { uid: 1000 },
    { uid: undefined },
  ])
    expect({ other, problem: machineProblem({ ...debian, ...other }) }).toMatchObject({
      other,
      problem: {
        exitCode: 2,
        message: expect.stringContaining('No container engine answers here'),
        hint: expect.stringMatching(/^Choose one: install Docker/),
      },
    })
})

test('a verb that the lab does not know is told with those that it knows', async () => {
  const child = spawn(process.execPath, [lab, 'upp'], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  expect(await end(child)).toEqual({ code: 2, said: "The lab does not know 'upp'.\n→ Say up, status, down or clean.\n" })
})

test('status, down and clean of a place with nothing in it have nothing to do', async () => {
  for (const verb of ['status', 'down', 'clean']) {
    const child = spawn(process.execPath, [lab, verb], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    const said = child.stdout ? text(child.stdout) : ''
    expect({ verb, ...(await end(child)) }).toEqual({ verb, code: 0, said: '' })
    if (verb === 'status') expect(await said).toMatch(/engine +down/)
  }
  expect(existsSync(placesOf(env).cache)).toBe(false)
})
