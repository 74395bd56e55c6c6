import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { app } from './tools/app.ts'
import type { AnyEvent, Run } from './tools/devkit.ts'
import { useRig } from './tools/rig.ts'

// What a save does to the program, on a real cluster, one test after the other on one environment.

const sync = (rule: object) => ({ sync: [{ from: 'app/src', to: '/app/src', ...rule }] })
const rig = useRig('t-restart', app({ project: 't-restart', config: sync({}) }))

interface ContainerState {
  readonly containerID: string
  readonly restartCount: number
}

function containers(): readonly ContainerState[] {
  const pods = JSON.parse(rig.kubectl('get', 'pods', '-l', 'app=web', '-o', 'json')) as {
    items: { metadata: { deletionTimestamp?: string }; status: { containerStatuses: ContainerState[] } }[]
  }
  return pods.items
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .flatMap(({ status }) => status.containerStatuses.map(({ containerID, restartCount }) => ({ containerID, restartCount })))
}

const inContainer = (...command: string[]): string => rig.kubectl('exec', 'deploy/web', '--', ...command)
const web = (event: AnyEvent): boolean => event['service'] === 'web'
const startOf = async (url: string): Promise<string> => await rig.fetchSaying(`${url}/start`, '\n')

/** The first answer that there is: the program may be about to start. */
async function firstAnswer(url: string): Promise<string> {
  for (;;) {
    const answer = await fetch(url, { signal: AbortSignal.timeout(5000), headers: { connection: 'close' } }).catch(
      () => undefined,
    )
    if (answer?.ok) return answer.text()
  }
}

/** All that is answered for so long, in ms, by whatever answers. */
async function answersFor(url: string, ms: number): Promise<readonly string[]> {
  const answers = new Set<string>()
  for (const deadline = Date.now() + ms; Date.now() < deadline; ) {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2000), headers: { connection: 'close' } })
      .then((got) => (got.ok ? got.text() : ''))
      .catch(() => '')
    if (answer !== '') answers.add(answer)
  }
  return [...answers]
}

async function watching(work: (run: Run, url: string) => Promise<void>): Promise<void> {
  await using run = rig.start(['watch'])
  const opened = await run.next('forward.opened')
  await run.next('action', ({ reason }) => String(reason).startsWith('watching'))
  await work(run, String(opened['url']))
  run.kill('SIGINT')
  expect(await run.exited).toBe(0)
}

test('the program runs under the supervisor, and a second up leaves it alone', async () => {
  const { code, problems } = await rig.end(['up'])
  expect({ code, problems }).toEqual({ code: 0, problems: [] })
  expect(inContainer('cat', '/proc/1/comm')).toBe('sh\n')
  // what render shows is what runs
  const { items } = JSON.parse(rig.text(['render', '--json']).stdout) as { items: { kind: string; spec: unknown }[] }
  const live = JSON.parse(rig.kubectl('get', 'deployment', 'web', '-o', 'json')) as { spec: unknown }
  const programOf = (spec: unknown): object => {
    const { template } = spec as { template: { spec: { containers: { image: string; command: string[]; args: string[] }[] } } }
    const [{ image, command, args } = {}] = template.spec.containers
    return { image, command, args }
  }
  expect(programOf(items.find(({ kind }) => kind === 'Deployment')?.spec)).toEqual(programOf(live.spec))
  const production = rig.text(['render', '-p', 'production'])
  expect({ code: production.code, ours: /devkit/.test(production.stdout) }).toEqual({ code: 0, ours: false })
  const before = containers()
  expect((await rig.end(['up'])).code).toBe(0)
  expect(containers()).toEqual(before)
})

test('a save restarts an interpreted program in place: another start, the same container, its files kept', async () => {
  await watching(async (run, url) => {
    expect(
      run.events.find((event) => event.type === 'action' && String(event['reason']).includes('restarts the program in place')),
    ).toBeDefined()
    inContainer('sh', '-c', 'echo mine > /app/src/made-by-the-app')
    const [before, started] = [containers(), await startOf(url)]
    rig.write('app/src/page.txt', 'saved\n')
    expect(await run.next('synced', web)).toMatchObject({ files: 1, restarted: true })
    await run.next('restarted', web)
    expect(await rig.fetchSaying(url, 'saved')).toBe('saved\n')
    expect(await startOf(url)).not.toBe(started)
    expect(containers()).toEqual(before)
    expect(inContainer('cat', '/app/src/made-by-the-app')).toBe('mine\n')
  })
})

test('what changed while nobody watched is there when watch is: changed, new and deleted files', async () => {
  rig.write('app/src/page.txt', 'changed in between\n')
  rig.write('app/src/new/file.txt', 'new\n')
  await watching(async (_, url) => {
    expect(await firstAnswer(url)).toBe('changed in between\n')
    expect(inContainer('cat', '/app/src/new/file.txt')).toBe('new\n')
  })
  rmSync(join(rig.directory, 'app/src/new'), { recursive: true })
  await watching(async (run) => {
    expect(run.events.find(({ type }) => type === 'synced')).toMatchObject({ deleted: 2 })
    expect(inContainer('ls', '/app/src')).toBe('made-by-the-app\npage.txt\n')
  })
  await watching(async (run) => expect(run.events.filter(({ type }) => type === 'synced')).toEqual([]))
  // of containers that are gone nothing is remembered
  const remembered = readdirSync(join(rig.directory, '.devkit/containers/t-restart'))
  expect(remembered).toEqual(containers().map(({ containerID }) => `${containerID.replace('containerd://', '')}.jsonl`))
})

test('a devkit that was killed in the middle leaves nothing that the next one takes for right', async () => {
  await using run = rig.start(['watch'])
  await run.next('action', ({ reason }) => String(reason).startsWith('watching'))
  for (let index = 0; index < 300; index++) rig.write(`app/src/many/${index}`, `first ${index}`)
  await run.next('files.changed')
  run.kill('SIGKILL')
  await run.exited
  for (let index = 0; index < 300; index += 2) rig.write(`app/src/many/${index}`, `second ${index}`)
  await watching(async () => {
    const there = inContainer('sh', '-c', 'cd /app/src/many && grep -c "" /dev/null; for f in *; do echo "$f $(cat "$f")"; done')
    const wrong = Array.from({ length: 300 }, (_, index) => `${index} ${index % 2 === 0 ? 'second' : 'first'} ${index}`).filter(
      (line) => !there.includes(`${line}\n`),
    )
    expect(wrong).toEqual([])
  })
  rmSync(join(rig.directory, 'app/src/many'), { recursive: true })
})

test('a new pod answers with the working tree from its first answer on', async () => {
  await watching(async (run, url) => {
    rig.write('app/src/page.txt', 'not in the image\n')
    await run.next('restarted', web)
    rig.kubectl('delete', 'pod', '-l', 'app=web', '--wait=false')
    expect(await run.next('stale', web)).toMatchObject({ files: expect.any(Number) })
    await run.next('synced', web)
    expect(await answersFor(url, 8000)).toEqual(['not in the image\n'])
    // held back until its files were there: it never had to start anew
    expect(containers()).toMatchObject([{ restartCount: 0 }])
  })
})

test('a program that crashes after a save ends its container with its code, and the next save does not wait for the back-off', async () => {
  await watching(async (run, url) => {
    rig.kubectl('exec', 'deploy/web', '--', 'sh', '-c', 'kill -KILL $(cat /.devkit/own/pid)')
    await run.next('synced', web)
    rig.kubectl(
      'wait',
      '--for=jsonpath={.status.containerStatuses[0].lastState.terminated.exitCode}=137',
      'pod',
      '-l',
      'app=web',
      '--timeout=30s',
    )
    await rig.fetchSaying(url, 'not in the image')
    // crashed once more, the kubelet lets it wait
    rig.kubectl('exec', 'deploy/web', '--', 'sh', '-c', 'kill -KILL $(cat /.devkit/own/pid)')
    const reason = '--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=CrashLoopBackOff'
    rig.kubectl('wait', reason, 'pod', '-l', 'app=web', '--timeout=30s')
    rig.write('app/src/page.txt', 'mended\n')
    await rig.fetchSaying(url, 'mended')
    // another pod, which waits for nothing
    expect(containers()).toMatchObject([{ restartCount: 0 }])
  })
})

test('a save that breaks the program is named by the problem, which is resolved by the save that mends it', async () => {
  await watching(async (run) => {
    rig.write('app/src/page.txt', 'die\n')
    const told = await run.next('problem', ({ code }) => String(code).startsWith('READY-'))
    expect(told).toMatchObject({ severity: 'warning', service: 'web', message: expect.stringContaining('Deployment/web') })
    expect(told['detail']).toMatch(/^Before it: app\/src\/page\.txt saved at \d\d:\d\d:\d\d/)
    rig.write('app/src/page.txt', 'mended\n')
    expect(await run.next('problem.resolved', web)).toMatchObject({ code: told['code'] })
  })
})

test('run commands come after the files and before the restart; a failing one is told', async () => {
  const config = JSON.parse(rig.read('devkit.config.json'))
  config.services.web.sync[0].run = [
    { paths: ['*.list'], command: 'sort /app/src/words.list > /app/src/sorted' },
    { paths: ['broken'], command: ['false'] },
  ]
  rig.write('devkit.config.json', JSON.stringify(config))
  await watching(async (run) => {
    rig.write('app/src/words.list', 'b\na\n')
    await run.next('restarted', web)
    expect(inContainer('cat', '/app/src/sorted')).toBe('a\nb\n')
    rig.write('app/src/broken', 'x')
    expect(await run.next('problem')).toMatchObject({
      code: 'SYNC-112',
      service: 'web',
      message: expect.stringContaining('false'),
    })
  })
})

test('restart by signal, by command, after a grace of its own, with its container, and not at all', async () => {
  const set = (restart: unknown): void => {
    const config = JSON.parse(rig.read('devkit.config.json'))
    config.services.web.sync[0] = { from: 'app/src', to: '/app/src', restart }
    rig.write('devkit.config.json', JSON.stringify(config))
  }
  set({ command: ['touch', '/tmp/told'] })
  await watching(async (run, url) => {
    rig.write('app/src/page.txt', 'by command\n')
    await run.next('restarted', web)
    expect(inContainer('ls', '/tmp/told')).toBe('/tmp/told\n')

    set('none')
    await run.next('service.ready', web)
    const started = await startOf(url)
    rig.write('app/src/page.txt', 'not at all\n')
    expect(await run.next('synced', web)).not.toHaveProperty('restarted')
    await rig.fetchSaying(url, 'not at all')
    expect(await startOf(url)).toBe(started)

    set({ process: { graceMs: 300 } })
    await run.next('service.ready', web)
    rig.kubectl('exec', 'deploy/web', '--', 'sh', '-c', 'kill -STOP $(cat /.devkit/own/pid)')
    rig.write('app/src/page.txt', 'after its grace\n')
    expect(await run.next('restarted', web)).toMatchObject({ killedAfterMs: 300 })
    await rig.fetchSaying(url, 'after its grace')

    set('container')
    await run.next('service.ready', web)
    const before = containers()
    rig.write('app/src/page.txt', 'with the container\n')
    await run.next('restarted', web)
    await rig.fetchSaying(url, 'with the container')
    expect(containers()[0]?.containerID).not.toBe(before[0]?.containerID)
    expect(containers()).toMatchObject([{ restartCount: 0 }])

    set({ signal: 'SIGTERM' })
    await run.next('service.ready', web)
    rig.write('app/src/page.txt', 'by signal\n')
    await run.next('restarted', web)
    // the program exits on TERM, and its container with it
    await run.next('stale', web)
    await rig.fetchSaying(url, 'by signal')
  })
})

test('an image without a shell: its node’s restarts the program in place and holds a new one back, which is told', async () => {
  const config = JSON.parse(rig.read('devkit.config.json'))
  config.services.web.sync[0] = { from: 'app/src', to: '/app/src', restart: 'process' }
  rig.write('devkit.config.json', JSON.stringify(config))
  // nothing that the supervisor calls is the image's
  const gone = 'cd /usr/bin && rm -f sh dash bash mkfifo sleep date env setsid true'
  rig.write('app/Dockerfile', `${rig.read('app/Dockerfile')}RUN ${gone}\n`)
  await watching(async (run, url) => {
    expect(run.events.filter(({ type }) => type === 'action').map(({ reason }) => reason)).toContainEqual(
      expect.stringContaining('web: its image has no shell, so its node'),
    )
    const [before, started, pid] = [containers(), await startOf(url), inContainer('cat', '/.devkit/own/pid')]
    rig.write('app/src/page.txt', 'by its shell\n')
    expect(await run.next('synced', web)).toMatchObject({ files: 1, restarted: true })
    expect(await run.next('restarted', web)).not.toHaveProperty('killedAfterMs')
    expect(await rig.fetchSaying(url, 'by its shell')).toBe('by its shell\n')
    expect(await startOf(url)).not.toBe(started)
    expect(inContainer('cat', '/.devkit/own/pid')).not.toBe(pid)
    expect(containers()).toEqual(before)

    rig.kubectl('delete', 'pod', '-l', 'app=web', '--wait=false')
    await run.next('stale', web)
    await run.next('synced', web)
    expect(await answersFor(url, 8000)).toEqual(['by its shell\n'])
    expect(containers()).toMatchObject([{ restartCount: 0 }])
  })
})

test('without a shell of either, which is told, a save is built and rolled out', async () => {
  const labels = { 'pod-security.kubernetes.io/enforce': 'baseline' }
  rig.write(
    'k8s/namespace.yaml',
    JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 't-restart', labels } }),
  )
  await watching(async (run, url) => {
    expect(rig.kubectl('get', 'deploy/web', '-o', 'json')).not.toContain('/.devkit')
    rig.write('app/src/page.txt', 'in the image\n')
    expect(await run.next('problem', web)).toMatchObject({
      code: 'SYNC-107',
      severity: 'warning',
      message: expect.stringMatching(/its image has no shell, and its node's cannot be used: the namespace takes no pod/),
    })
    await run.next('action', (event) => event['do'] === 'rebuild')
    await run.next('service.ready', web)
    expect(await rig.fetchSaying(url, 'in the image')).toBe('in the image\n')
  })
})
