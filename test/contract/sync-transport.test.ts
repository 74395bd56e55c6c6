import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fileHash, linkHash } from '../../src/lib/content.ts'
import type { Ack, Batch, ContainerRef, FileWrite, SyncSession } from '../../src/sync/transport.ts'
import { openSyncRig, type Sort, type SyncRig } from './sync-rig.ts'

// What a sync transport promises, on a real cluster: the same for every way into a container and every sort of image that it can reach.

let rig: SyncRig

beforeAll(async () => {
  rig = await openSyncRig()
})
afterAll(() => rig?.[Symbol.asyncDispose]())

let files = 0
/** A file of this machine that is to be written as `target`. */
function file(target: string, content: string | Buffer, mode = 0o644): Extract<FileWrite, { kind: 'file' }> & { source: string } {
  const source = join(rig.scratch, `source-${++files}`)
  writeFileSync(source, content)
  chmodSync(source, mode)
  return { kind: 'file', target, source, mode, bytes: Buffer.byteLength(content) }
}

const nothing = { files: 0, bytes: 0, deleted: 0, sent: new Map(), inPlace: [], kept: [], refused: [] }

describe.each<['node' | 'exec', Sort]>([
  ['node', 'bare'],
  ['exec', 'debian'],
  ['exec', 'busybox'],
])('%s stream into %s', (way, sort) => {
  let session: SyncSession
  let container: ContainerRef

  beforeAll(async () => {
    container = rig.containers[sort]
    session = await rig.transports[way].open(rig.target, rig.step)
  })
  afterAll(() => session?.[Symbol.asyncDispose]())

  const push = (batch: Partial<Batch>): Promise<Ack> =>
    session.push(container, { roots: ['/app'], writes: [], deletes: [], ...batch }, rig.step)
  const look = (script: string): string => rig.look(container, script)

  test('files of every sort arrive as they are, in directories that did not exist', async () => {
    const names = ['plain', 'with a space', 'with\nnewline', 'ünïcödé', '-dash', 'quo\'te"s', '$HOME `x` \\', '*']
    const writes = [
      ...names.map((name) => file(`/app/deep/er/${name}`, `content of ${name}`)),
      file('/app/empty', ''),
      file('/app/run', '#!', 0o755),
      file('/app/private', 'for me', 0o600),
      file('/app/zeros', Buffer.alloc(70_000)),
      file(`/app/${'long'.repeat(60)}/${'name'.repeat(60)}`, 'long'),
    ]
    const ack = await push({
      writes: [
        ...writes,
        { kind: 'link', target: '/app/link', to: 'plain' },
        { kind: 'link', target: '/app/gone', to: '/no where' },
      ],
    })
    expect(ack).toMatchObject({ ...nothing, files: writes.length + 2, bytes: expect.any(Number), sent: expect.any(Map) })
    for (const name of names)
      expect(look(`cat "$R"/app/deep/er/${`'${name.replaceAll("'", "'\\''")}'`}`)).toBe(`content of ${name}`)
    expect(look('cd "$R"/app; stat -c "%s %a" empty run private zeros long*/name*')).toBe('0 644\n2 755\n6 600\n70000 644\n4 644')
    expect(look('readlink "$R"/app/link "$R"/app/gone')).toBe('plain\n/no where')
    expect(ack.sent.get('/app/run')).toBe(fileHash(0o755).update('#!').digest('hex'))
    expect(ack.sent.get('/app/link')).toBe(linkHash('plain'))
    expect(look('find "$R"/app -name ".devkit*"')).toBe('')
  })

  test('a file is replaced whole: a reader sees the old one or the new one, never half', async () => {
    const [before, after] = ['a', 'b'].map((letter) => letter.repeat(200_000))
    const writes = [before, after].map((content) => file('/app/atomic', content ?? ''))
    await push({ writes: writes.slice(0, 1) })
    const inode = look('stat -c %i "$R"/app/atomic')
    await push({ writes: writes.slice(1) })
    expect(look('stat -c %i "$R"/app/atomic')).not.toBe(inode)
    const watched = rig.watchReads(container, '/app/atomic')
    let enough = false
    void watched.enough.then(() => {
      enough = true
    })
    for (let save = 0; save < 30 || !enough; save++) await push({ writes: [writes[save % 2] as FileWrite] })
    expect(await watched.stop()).toEqual({ wrong: 0 })
  })

  test('what exists keeps its owner and takes the mode, what is new takes its directory’s owner', async () => {
    look('mkdir -p "$R"/app/owned && chown 1234:1235 "$R"/app/owned && echo x > "$R"/app/kept && chown 77:78 "$R"/app/kept')
    await push({ writes: [file('/app/kept', 'new', 0o755), file('/app/owned/new/file', 'x')] })
    expect(look('cd "$R"/app; stat -c "%u:%g %a" kept owned/new owned/new/file')).toBe('77:78 755\n1234:1235 755\n1234:1235 644')
  })

  test('deletes: files, symlinks but not what they lead to, directories when only generated files are left', async () => {
    await push({
      writes: [
        file('/app/pkg/a.py', 'a'),
        file('/app/pkg/sub/b.py', 'b'),
        file('/app/uploads/c', 'c'),
        { kind: 'link', target: '/app/to-uploads', to: 'uploads' },
        { kind: 'directory', target: '/app/made', mode: 0o750 },
      ],
    })
    expect(look('stat -c %a "$R"/app/made')).toBe('750')
    look(
      'mkdir -p "$R"/app/pkg/__pycache__/x && touch "$R"/app/pkg/__pycache__/x/a.pyc "$R"/app/pkg/sub/b.pyc "$R"/app/uploads/theirs',
    )
    const ack = await push({
      deletes: [
        '/app/pkg',
        '/app/pkg/a.py',
        '/app/pkg/sub',
        '/app/pkg/sub/b.py',
        '/app/uploads',
        '/app/uploads/c',
        '/app/to-uploads',
        '/app/made',
        '/app/never',
      ],
    })
    expect(ack).toEqual({ ...nothing, deleted: 8, kept: ['/app/uploads'] })
    expect(look('cd "$R"/app; ls -d pkg uploads/* to-uploads made 2>/dev/null || true')).toBe('uploads/theirs')
  })

  test('a file in place of a directory, and the other way round', async () => {
    await push({ writes: [file('/app/turn/x', 'x'), file('/app/back', 'y')] })
    const ack = await push({
      deletes: ['/app/turn/x', '/app/back'],
      writes: [file('/app/turn', 'file'), file('/app/back/y', 'y')],
    })
    expect(ack).toMatchObject({ files: 2, deleted: 2, refused: [] })
    expect(look('cat "$R"/app/turn "$R"/app/back/y')).toBe('filey')
  })

  test('an absolute symlink leads where it leads in the container, never to the node', async () => {
    look('mkdir -p "$R"/inside && ln -sfn /inside "$R"/outside')
    const ack = await session.push(
      container,
      { roots: ['/outside'], writes: [file('/outside/proof/file', 'here')], deletes: [] },
      rig.step,
    )
    expect(ack).toMatchObject({ files: 1, refused: [] })
    expect(look('cat "$R"/inside/proof/file')).toBe('here')
    expect(rig.inNode('bash', '-c', 'ls -d /inside /outside 2>/dev/null || echo none')).toBe('none\n')
  })

  test('nothing is written or deleted outside the rules’ targets, not through a symlink and not through ..', async () => {
    look('mkdir -p "$R"/other/dir "$R"/app && echo x > "$R"/other/file && ln -sfn /other "$R"/app/leads-out')
    const ack = await push({
      writes: [
        file('/app/leads-out/a', 'x'),
        file('/app/leads-out/dir/new/b', 'x'),
        file('/other/c', 'x'),
        file('/app/../other/d', 'x'),
      ],
      deletes: ['/app/leads-out/file'],
    })
    expect(ack.refused.map(({ target, reason }) => [target, reason]).sort()).toEqual(
      [
        ['/app/leads-out/a', 'outside'],
        ['/app/leads-out/dir/new/b', 'outside'],
        ['/app/leads-out/file', 'outside'],
        ['/app/../other/d', 'outside'],
        ['/other/c', 'outside'],
      ].sort(),
    )
    expect(look('cd "$R"/other; find . | sort')).toBe('.\n./dir\n./file')
  })

  test('what cannot be written is told with its reason, and the others of the batch arrive', async () => {
    look('mkdir -p "$R"/app/full && touch "$R"/app/full/theirs && echo x > "$R"/app/a-file')
    const missing = { ...file('/app/unread', 'x'), source: join(rig.scratch, 'never there') }
    const ack = await session.push(
      container,
      {
        roots: ['/app', '/config', '/small', '/proc'],
        writes: [
          file('/app/full', 'a directory is there'),
          file('/app/a-file/below', 'a file is there'),
          file('/config/setting', 'mounted read-only'),
          file('/small/too-big', Buffer.alloc(1_200_000)),
          missing,
          file('/app/fine', 'fine'),
        ],
        deletes: ['/app/mounted'],
      },
      rig.step,
    )
    expect(Object.fromEntries(ack.refused.map(({ target, reason }) => [target, reason]))).toEqual({
      '/app/full': 'in the way',
      '/app/a-file/below': 'in the way',
      '/config/setting': 'read-only',
      '/small/too-big': 'no space',
      '/app/unread': 'unreadable',
      '/app/mounted': 'in the way',
    })
    for (const { target, why } of ack.refused) if (target !== '/app/unread') expect(why).toContain(target.slice(0, 6))
    expect([...ack.sent.keys()]).toEqual(['/app/fine'])
    expect(look('cat "$R"/app/fine')).toBe('fine')
    expect(look('ls -A "$R"/small')).toBe('')
    expect(await push({ writes: [file('/app/after', 'the stream goes on')] })).toMatchObject({ files: 1, refused: [] })
  })

  test('a file that is mounted by itself is written over in place, which is told; the mount stays', async () => {
    const ack = await push({ writes: [file('/app/mounted', 'a longer content than before'), file('/app/mounted-not', 'x')] })
    expect(ack).toMatchObject({ files: 2, inPlace: ['/app/mounted'], refused: [] })
    expect(rig.inNode('cat', '/var/lib/t-sync/mounted')).toBe('a longer content than before')
    expect(await push({ writes: [file('/app/mounted', 'short')] })).toMatchObject({ inPlace: ['/app/mounted'] })
    expect(rig.inNode('cat', '/var/lib/t-sync/mounted')).toBe('short')
    expect(look('cat "$R"/app/mounted')).toBe('short')
  })

  test('probe says which paths are not there', async () => {
    await push({ writes: [file('/app/probe/a', 'a'), { kind: 'link', target: '/app/probe/dead', to: '/nowhere' }] })
    expect(await session.probe(container, ['/app/probe/a', '/app/probe/b\nb', '/app/probe/dead', '/app/probe', '/x'])).toEqual([
      1, 4,
    ])
    expect(await session.probe(container, [])).toEqual([])
  })

  test('tell reaches a reader of a FIFO, and says when there is none', async () => {
    look('mkfifo "$R"/app/fifo')
    const began = performance.now()
    expect(await session.tell(container, '/app/fifo', 'anybody?')).toBe(false)
    expect(await session.tell(container, '/app/no-fifo', 'anybody?')).toBe(false)
    // whatever is saved meanwhile waits for it
    expect(performance.now() - began).toBeLessThan(900)
    const reader = rig.reader(container, '/app/fifo')
    await reader.opened
    expect(await session.tell(container, '/app/fifo', 'it’s $HOME')).toBe(true)
    expect(await reader.line).toBe('it’s $HOME')
  })

  test('hundreds of files in one batch', async () => {
    const writes = Array.from({ length: 300 }, (_, index) =>
      file(`/app/many/${index % 7}/${index}`, `file ${index}\n`.repeat(index)),
    )
    expect(await push({ writes })).toMatchObject({ files: 300, refused: [] })
    const expected = createHash('sha256')
    for (const index of writes.keys()) expected.update(`file ${index}\n`.repeat(index))
    expect(look('cd "$R"/app/many; for i in $(seq 0 299); do cat $((i % 7))/$i; done | sha256sum')).toContain(
      expected.digest('hex'),
    )
    expect(await push({ deletes: writes.map(({ target }) => target) })).toMatchObject({ deleted: 300 })
  })

  test('a big file arrives whole, and small ones do not wait for it', async () => {
    const content = randomBytes(24_000_000)
    const big = push({ writes: [file('/app/big', content)] })
    const small = push({ writes: [file('/app/small', 'small')] })
    expect(await Promise.race([big.then(() => 'big'), small.then(() => 'small')])).toBe('small')
    const ack = await big
    expect(ack).toMatchObject({ files: 1, bytes: content.length, refused: [] })
    expect(look('sha256sum < "$R"/app/big')).toContain(createHash('sha256').update(content).digest('hex'))
    expect(ack.sent.get('/app/big')).toBe(fileHash(0o644).update(content).digest('hex'))
  })

  test('a file that grows and shrinks while it is sent is told or sent again, never half', async () => {
    const write = file('/app/changing', Buffer.alloc(16_000_000, 'a'))
    let going = true
    const change = async (): Promise<void> => {
      for (let turn = 0; going; turn++) {
        truncateSync(write.source, turn % 2 === 0 ? 9_000_000 : 16_000_000)
        await new Promise((resolve) => setTimeout(resolve, 3))
      }
    }
    const changing = change()
    const ack = await push({ writes: [write] })
    going = false
    await changing
    const size = look('stat -c %s "$R"/app/changing 2>/dev/null || echo none')
    if (ack.refused.length > 0) expect({ ...ack.refused[0], size }).toMatchObject({ reason: 'changing', size: 'none' })
    else expect(size).toMatch(/^(?:9|16)000000$/)
    expect(look('find "$R"/app -name ".devkit*"')).toBe('')
    expect(await push({ writes: [write] })).toMatchObject({ files: 1, refused: [] })
    expect(look('stat -c %s "$R"/app/changing')).toBe(String(statSync(write.source).size))
  })

  test('how long a save of 4 KB takes', async () => {
    const took: number[] = []
    for (let save = 0; save < 50; save++) {
      const write = file('/app/saved', randomBytes(4096))
      const began = performance.now()
      await push({ writes: [write] })
      took.push(performance.now() - began)
    }
    took.sort((a, b) => a - b)
    const [p50, p95] = [took[24] ?? 0, took[47] ?? 0]
    process.stderr.write(`${way} stream into ${sort}: 4 KB n=50 p50=${p50.toFixed(1)} ms p95=${p95.toFixed(1)} ms\n`)
    // what a program started for each save would take; the machine may be busy
    expect(p50).toBeLessThan(150)
  })
})

const ways = ['node', 'exec'] as const
type Way = (typeof ways)[number]
const open = (way: Way): Promise<SyncSession> => rig.transports[way].open(rig.target, rig.step)
const one = (target: string, roots: readonly string[] = ['/app']): Batch => ({ roots, writes: [file(target, 'x')], deletes: [] })

test('by the node a user who may write nothing gets the files all the same; by the API that is told', async () => {
  const { user } = rig.containers
  rig.look(user, 'mkdir -p "$R"/app/theirs && chown 1000:1000 "$R"/app/theirs')
  const batch = { ...one('/app/a'), writes: [file('/app/a', 'a'), file('/app/theirs/b', 'b')] }
  await using exec = await open('exec')
  expect(await exec.push(user, batch, rig.step)).toMatchObject({
    files: 1,
    refused: [{ target: '/app/a', reason: 'no permission' }],
  })
  await using node = await open('node')
  expect(await node.push(user, batch, rig.step)).toMatchObject({ files: 2, refused: [] })
  expect(rig.look(user, 'cd "$R"/app; stat -c %u:%g a theirs/b')).toBe('0:0\n1000:1000')
})

test('a root that the container may not write: the exec stream is told so, the node stream writes it; a volume in it can be written by both', async () => {
  const { readOnly } = rig.containers
  const batch = { roots: ['/app', '/small'], writes: [file('/app/a', 'a'), file('/small/b', 'b')], deletes: [] }
  await using exec = await open('exec')
  expect(await exec.push(readOnly, batch, rig.step)).toMatchObject({
    files: 1,
    refused: [{ target: '/app/a', reason: 'read-only' }],
  })
  await using node = await open('node')
  expect(await node.push(readOnly, batch, rig.step)).toMatchObject({ files: 2, refused: [] })
  expect(rig.look(readOnly, 'cat "$R"/app/a "$R"/small/b')).toBe('ab')
  expect(await node.push(readOnly, { ...batch, writes: [], deletes: ['/app/a'] }, rig.step)).toMatchObject({ deleted: 1 })
  expect(rig.look(readOnly, 'ls "$R"/app')).toBe('mounted')
})

test('exec stream: an image without a shell is told as such', async () => {
  await using session = await open('exec')
  await expect(session.push(rig.containers.bare, one('/app/a'), rig.step)).rejects.toMatchObject({
    code: 'SYNC-110',
    message: expect.stringContaining('bare/app'),
  })
})

test.each(ways)('%s stream: a signal reaches the first process', async (way) => {
  const { debian } = rig.containers
  rig.look(debian, 'rm -f "$R"/tmp/signalled')
  await using session = await open(way)
  await session.signal(debian, 'SIGUSR1')
  await rig.until(debian, '[ -e "$R"/tmp/signalled ]')
  await expect(session.signal(debian, 'NONSENSE')).rejects.toMatchObject({ code: 'SYNC-102' })
})

test.each<[Way, string]>([
  ['node', 'pgrep -x perl'],
  ['exec', 'for p in $(pgrep -x sh); do grep -q "eval.*dd bs" /proc/$p/cmdline && echo $p; done; true'],
])('%s stream: killed, it is lost and says so; opened again, it goes on; closed, nothing of it is left', async (way, find) => {
  const { debian } = rig.containers
  const running = (): string => rig.inNode('bash', '-c', find)
  {
    await using session = await open(way)
    await session.push(debian, one('/app/before'), rig.step)
    expect(running()).not.toBe('')
    rig.inNode('bash', '-c', `kill -9 $(${find})`)
    await expect(
      (async () => {
        for (;;) await session.push(debian, one('/app/meanwhile'), rig.step)
      })(),
    ).rejects.toMatchObject({ code: 'SYNC-101', reason: 'lost' })
    if (way === 'node') await session.closed
  }
  {
    await using again = await open(way)
    expect(await again.push(debian, one('/app/after'), rig.step)).toMatchObject({ files: 1 })
  }
  await rig.until(debian, `[ -z "$(${find})" ]`)
})

test.each(ways)('%s stream: a push that is given up leaves nothing half in the container', async (way) => {
  const { debian } = rig.containers
  await using session = await open(way)
  const given = new AbortController()
  const write = file('/app/given-up', Buffer.alloc(200_000_000))
  let lines = 0
  const step = { signal: given.signal, say: () => void lines++ }
  const pushing = session.push(debian, { roots: ['/app'], writes: [write], deletes: [] }, step)
  await rig.until(debian, 'ls -A "$R"/app | grep -q "^.devkit-"')
  given.abort(new Error('given up'))
  await expect(pushing).rejects.toThrow('given up')
  await rig.until(debian, '! ls -A "$R"/app | grep -q "^.devkit-"')
  expect(rig.look(debian, 'ls "$R"/app/given-up 2>/dev/null || echo none')).toBe('none')
  expect(await session.push(debian, one('/app/next'), rig.step)).toMatchObject({ files: 1 })
})

test.each<[Way, number]>([
  ['node', 500_000_000],
  ['exec', 150_000_000],
])(
  '%s stream: a file of %d bytes goes down in bounded memory, tells how far it is, and keeps nobody waiting',
  async (way, bytes) => {
    const { debian, busybox } = rig.containers
    const write = file('/app/huge', '')
    truncateSync(write.source, bytes)
    await using session = await open(way)
    await session.push(debian, one('/app/warm'), rig.step)
    await session.push(busybox, one('/app/warm'), rig.step)
    const before = process.memoryUsage().rss
    let peak = before
    let done = false
    let longest = 0
    const began = performance.now()
    const huge = session.push(debian, { roots: ['/app'], writes: [{ ...write, bytes }], deletes: [] }, rig.step).finally(() => {
      done = true
    })
    const small = one('/app/small')
    for (let save = 0; save < 20 && !done; save++) {
      const asked = performance.now()
      await session.push(busybox, small, rig.step)
      longest = Math.max(longest, performance.now() - asked)
      peak = Math.max(peak, process.memoryUsage().rss)
    }
    const watching = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage().rss)
    }, 20)
    expect(await huge).toMatchObject({ files: 1, bytes })
    clearInterval(watching)
    const rate = bytes / 1e3 / (performance.now() - began)
    const growth = (peak - before) / 1e6
    process.stderr.write(
      `${way} stream: ${bytes / 1e6} MB at ${rate.toFixed(0)} MB/s, RSS +${growth.toFixed(0)} MB, a small save meanwhile at most ${longest.toFixed(0)} ms\n`,
    )
    expect(growth).toBeLessThan(64)
    expect(longest).toBeLessThan(2000)
    expect(rig.look(debian, 'stat -c %s "$R"/app/huge; rm "$R"/app/huge')).toBe(String(bytes))
  },
)

test('node stream: 50,000 small files in one batch', async () => {
  const { source } = file('/any', 'small\n')
  const writes = Array.from({ length: 50_000 }, (_, index): FileWrite => {
    return { kind: 'file', target: `/app/all/${index % 100}/${index}`, source, mode: 0o644, bytes: 6 }
  })
  await using session = await open('node')
  const ack = await session.push(rig.containers.busybox, { roots: ['/app'], writes, deletes: [] }, rig.step)
  expect(ack).toMatchObject({ files: 50_000, bytes: 300_000, refused: [] })
  expect(ack.sent.size).toBe(50_000)
  expect(rig.look(rig.containers.busybox, 'find "$R"/app/all -type f -size 6c | wc -l')).toBe('50000')
})

test('node stream: notes on the node itself, and containers that start', async () => {
  await using session = await open('node')
  await session.note?.('lease', 'held\n')
  expect(rig.inNode('cat', '/run/devkit/lease')).toBe('held\n')
  await session.note?.('lease', undefined)
  await session.note?.('lease', undefined)
  expect(rig.inNode('ls', '/run/devkit')).toBe('')
  await expect(session.note?.('../escape', 'x')).rejects.toMatchObject({ code: 'SYNC-102' })

  const started: ContainerRef[] = []
  const woken = Promise.withResolvers<void>()
  using _ = session.onStart?.((container) => {
    started.push(container)
    if (container.pod === 'starts') woken.resolve()
  })
  await rig.until(rig.containers.debian, 'pgrep -x ctr > /dev/null')
  rig.kubectl(['delete', 'pod', 'user', '--force', '--grace-period=0', '--wait=false'])
  rig.kubectl([
    'run',
    'starts',
    '--image=docker.io/library/debian:bookworm-slim',
    '--image-pull-policy=Never',
    '--command',
    '--',
    'sleep',
    '3600',
  ])
  rig.kubectl(['wait', '--for=condition=Ready', 'pod/starts', '--timeout=60s'])
  await woken.promise
  const id = rig.kubectl(['get', 'pod', 'starts', '-o', 'jsonpath={.status.containerStatuses[0].containerID}'])
  expect(started).toContainEqual({ id: id.replace('containerd://', ''), namespace: 'default', pod: 'starts', name: 'starts' })
})

test.each(ways)('%s stream: a container that has ended is told as ended, and nothing is written anywhere', async (way) => {
  await using session = await open(way)
  rig.kubectl(['delete', 'pod', 'read-only', '--ignore-not-found', '--force', '--grace-period=0'])
  await expect(
    (async () => {
      for (;;) await session.push(rig.containers.readOnly, one('/small/c', ['/small']), rig.step)
    })(),
  ).rejects.toMatchObject({ code: 'SYNC-101', reason: 'ended' })
  expect(rig.inNode('bash', '-c', 'ls -d /small 2>/dev/null || echo none')).toBe('none\n')
})
