import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Bench, get, greeting, marker, target } from '../environment.ts'
import { holds } from '../reader.ts'

// Saves while something else happens to the container, its program or its cluster.

/** Saves while the service is rebuilt: in the old container as always, in the new one before it is ready. */
export async function rebuild(bench: Bench): Promise<void> {
  const run = bench.watched()
  const dockerfile = join(bench.directory, 'examples/django/web/Dockerfile')
  const ms: number[] = []
  const missing: number[] = []
  const rounds = Math.max(1, Math.ceil(Math.min(bench.n, 50) / 10))
  for (let round = 0; round < rounds; round++) {
    const old = await bench.containers()
    const from = run.events.length
    writeFileSync(dockerfile, `ENV BENCH=${Date.now()}\n`, { flag: 'a' })
    await run.next('step.started', ({ step }) => step === 'build/web')
    const isReady = (): boolean =>
      run.events.slice(from).some(({ type, service }) => type === 'service.ready' && service === 'web')
    let last = ''
    while (!isReady()) {
      const content = bench.content(4096)
      const { held } = await bench.reader.expect(
        old.map(({ pid }) => pid),
        [holds(`${target}/bench/save.txt`, content)],
        5000,
      )
      const began = performance.now()
      writeFileSync(bench.at('bench/save.txt'), content)
      last = content
      const arrived = await held.then(
        () => true,
        () => false,
      )
      const stillThere = (await bench.reader.containers(marker)).some(({ id }) => old.some((one) => one.id === id))
      if (arrived) ms.push(performance.now() - began)
      // the old container is gone: nothing to see in it
      else if (stillThere) ms.push(Number.POSITIVE_INFINITY)
      await delay(150 + Math.random() * 200)
    }
    const known = new Set(old.map(({ id }) => id))
    const fresh = (await bench.containers()).filter(({ id }) => !known.has(id))
    const { held } = await bench.reader.expect(
      fresh.map(({ pid }) => pid),
      [holds(`${target}/bench/save.txt`, last)],
      100,
    )
    missing.push(
      await held.then(
        () => 0,
        () => 1,
      ),
    )
  }
  bench.add({
    id: 'rebuild',
    what: 'a save while the service is rebuilt → in the old container',
    unit: 'ms',
    values: ms,
    target: { p95: 100 },
  })
  bench.add({
    id: 'rebuild',
    what: 'new containers that were ready without the last save',
    unit: 'of n',
    values: missing,
    target: { most: 0 },
  })
}

/** A container crashes, or its pod goes: the synced state is in the next one, and no answer is stale. */
export async function replaced(bench: Bench, way: 'crash' | 'pod'): Promise<void> {
  const ms: number[] = []
  const stale: number[] = []
  const rounds = way === 'crash' ? Math.min(bench.n, 20) : bench.n
  for (let round = 0; round < rounds; round++) {
    bench.stand.signal.throwIfAborted()
    // a pod of its own for each crash: the kubelet waits longer after each in the same one
    if (way === 'crash' && round > 0) await deletePod(bench)
    const text = bench.greet(round)
    writeFileSync(bench.at(greeting), text.content)
    await bench.page(text.greeting)
    const before = await bench.containers()
    const { held } = await bench.reader.fresh(marker, await bench.reader.containers(marker), [
      holds(`${target}/${greeting}`, text.content),
    ])
    if (way === 'crash') for (const { pid } of before) bench.sh(`kill -9 ${pid}`)
    else bench.kubectl('delete', 'pod', '-l', 'app=web', '--wait=false')
    const answers = staleAnswers(bench, text.greeting)
    const found = await held.catch((thrown: unknown) => {
      bench.wrong.push(`${way}: ${String(thrown)}`)
      return undefined
    })
    if (found) ms.push(found.ms)
    stale.push(await answers)
  }
  const what = way === 'crash' ? 'container crashes' : 'pod deleted'
  bench.add({
    id: way,
    what: `${what}: synced state back after the container's start`,
    unit: 'ms',
    values: ms,
    target: { p95: 300 },
    throughApi: { p95: 3000 },
  })
  bench.add({ id: way, what: `${what}: stale answers`, unit: 'of n', values: stale, target: { most: 0 } })
}

/** Deletes the pod and waits until its successor serves. */
async function deletePod(bench: Bench): Promise<void> {
  const before = new Set((await bench.containers()).map(({ id }) => id))
  bench.kubectl('delete', 'pod', '-l', 'app=web', '--wait=true')
  for (;;) {
    const now = await bench.containers().catch(() => [])
    if (now.length > 0 && now.every(({ id }) => !before.has(id))) break
    await delay(100)
  }
  bench.kubectl('wait', 'pod', '-l', 'app=web', '--for=condition=Ready', '--timeout=120s')
}

/** How many answers of another text come until the right one has come again, after a time without. */
async function staleAnswers(bench: Bench, text: string): Promise<number> {
  const url = bench.url()
  let stale = 0
  let wasAway = false
  for (const deadline = Date.now() + 120_000; Date.now() < deadline; await delay(2)) {
    const answer = await get(url)
    if (answer === undefined) wasAway = true
    else if (!answer.includes(text)) stale += 1
    else if (wasAway || Date.now() > deadline - 110_000) return stale
  }
  bench.wrong.push(`the page did not come back with '${text}'`)
  return stale
}

/** A save → the program runs anew. */
export async function restart(bench: Bench): Promise<void> {
  const [pid = 0] = await bench.pids()
  const ms: number[] = []
  for (let round = 0; round < bench.n; round++) {
    const text = bench.greet(round)
    const known = await bench.reader.programs(pid, 'guestbook.wsgi')
    const { held } = await bench.reader.program(pid, 'guestbook.wsgi', known)
    const began = performance.now()
    writeFileSync(bench.at(greeting), text.content)
    await held
    ms.push(performance.now() - began)
    await bench.page(text.greeting)
  }
  bench.add({
    id: 'restart',
    what: "restart: 'process': save → new process started",
    unit: 'ms',
    values: ms,
    target: { p95: 250 },
  })
}

/** The API server does not answer for 10 s; a save is made in the middle of it. */
export async function api(bench: Bench): Promise<void> {
  const pids = await bench.pids()
  const ms: number[] = []
  const through = bench.transport === 'exec'
  for (let round = 0; round < bench.n; round++) {
    const content = bench.content(4096)
    const { held } = await bench.reader.expect(pids, [holds(`${target}/bench/save.txt`, content)])
    bench.sh('pkill -STOP kube-apiserver')
    let began = performance.now()
    try {
      await delay(2000)
      began = performance.now()
      writeFileSync(bench.at('bench/save.txt'), content)
      const arrived = held.then(() => performance.now())
      await delay(8000)
      bench.sh('pkill -CONT kube-apiserver')
      // the API's own stream can only bring it when the API is back
      if (through) began = performance.now()
      ms.push(Math.max(0, (await arrived) - began))
    } finally {
      bench.sh('pkill -CONT kube-apiserver')
    }
    await delay(5000)
  }
  bench.add({
    id: 'api',
    what: `API server unreachable for 10 s: a save made meanwhile is there${through ? ' after its return' : ''}`,
    unit: 'ms',
    values: ms,
    target: { most: 100 },
    throughApi: { most: 1000 },
  })
}
