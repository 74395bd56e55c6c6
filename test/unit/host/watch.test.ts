import { execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { beforeAll, expect, test } from 'vitest'
import type { FileBatch, WatchOptions, WatchRoot } from '../../../src/host/host.ts'
import { Snapshot } from '../../../src/host/snapshot.ts'
import { watchFiles } from '../../../src/host/watch.ts'
import type { DevkitError } from '../../../src/lib/errors.ts'
import { gitIgnoreRules } from '../../../src/lib/ignore.ts'
import { neverSynced } from '../../../src/sync/mapping.ts'

// Real files, real events: what comes out of the watch is compared with what was done.

interface Rig extends AsyncDisposable {
  readonly directory: string
  write(path: string, text: string): void
  /** What was told since the last call, relative and sorted. Ends with a mark: a file that is written last, after which all else has been told. */
  told(): Promise<string[]>
  /** The same, batch by batch. */
  batches(): Promise<string[][]>
  readonly warnings: DevkitError[]
  readonly watch: Awaited<ReturnType<typeof watchFiles>>
}

async function rig(
  prepare: (directory: string) => void,
  roots: (directory: string) => readonly WatchRoot[] = (directory) => [{ path: join(directory, 'src'), ignore: [] }],
  options: Partial<WatchOptions> = {},
): Promise<Rig> {
  const directory = mkdtempSync(join(tmpdir(), 'devkit-watch-'))
  mkdirSync(join(directory, 'src'))
  mkdirSync(join(directory, 'mark'))
  prepare(directory)
  const abort = new AbortController()
  const warnings: DevkitError[] = []
  const watch = await watchFiles(
    [...roots(directory), { path: join(directory, 'mark'), ignore: [] }],
    { never: neverSynced, warn: (problem) => void warnings.push(problem), ...options },
    abort.signal,
  )
  const batches = watch.batches[Symbol.asyncIterator]()
  let marks = 0
  const next = async (): Promise<string[][]> => {
    const mark = join(directory, 'mark', String(marks++))
    // after the time that an editor is given in the middle of a save
    await new Promise((resolve) => setTimeout(resolve, 60))
    writeFileSync(mark, '')
    const told: string[][] = []
    for (;;) {
      const batch = (await batches.next()).value as FileBatch
      const paths = batch.paths.filter((path) => dirname(path) !== join(directory, 'mark'))
      if (paths.length > 0) told.push(paths.map((path) => relative(directory, path)).sort())
      if (batch.paths.includes(mark)) return told
    }
  }
  return {
    directory,
    warnings,
    watch,
    write: (path, text) => {
      mkdirSync(dirname(join(directory, path)), { recursive: true })
      writeFileSync(join(directory, path), text)
    },
    batches: next,
    told: async () => [...new Set((await next()).flat())].sort(),
    [Symbol.asyncDispose]: async () => {
      abort.abort()
      await watch[Symbol.asyncDispose]()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

const file = (path: string, text = 'one') => {
  return (directory: string): void => {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), text)
  }
}

test('files are told when they are written, made, renamed and removed; links and odd names too', async () => {
  await using it = await rig(file('src/a'))
  it.write('src/a', 'two')
  it.write('src/new with space\n and ünicode', '1')
  symlinkSync('nowhere', join(it.directory, 'src/link'))
  expect(await it.told()).toEqual(['src/a', 'src/link', 'src/new with space\n and ünicode'])
  renameSync(join(it.directory, 'src/a'), join(it.directory, 'src/b'))
  rmSync(join(it.directory, 'src/link'))
  expect(await it.told()).toEqual(['src/a', 'src/b', 'src/link'])
})

test('directories: new trees, renamed ones, emptied and replaced ones', async () => {
  await using it = await rig(file('src/old/deep/x'))
  it.write('src/n1/n2/n3/file', '1')
  expect(await it.told()).toEqual(['src/n1', 'src/n1/n2', 'src/n1/n2/n3', 'src/n1/n2/n3/file'])
  renameSync(join(it.directory, 'src/old'), join(it.directory, 'src/moved'))
  expect(await it.told()).toEqual(
    ['src/moved', 'src/moved/deep', 'src/moved/deep/x', 'src/old', 'src/old/deep', 'src/old/deep/x'].sort(),
  )
  it.write('src/moved/deep/x', 'after the move')
  expect(await it.told()).toEqual(['src/moved/deep/x'])
  rmSync(join(it.directory, 'src/moved/deep'), { recursive: true })
  mkdirSync(join(it.directory, 'src/moved/deep'))
  it.write('src/moved/deep/y', '1')
  expect(await it.told()).toEqual(expect.arrayContaining(['src/moved/deep/x', 'src/moved/deep/y']))
})

test('a root that is a file is told alone; one that is not there yet, or is replaced, is told when it comes', async () => {
  await using it = await rig(file('config.yaml'), (directory) =>
    ['config.yaml', 'later', 'src'].map((name) => ({ path: join(directory, name), ignore: [] })),
  )
  it.write('config.yaml', 'two')
  it.write('beside.yaml', 'not asked for')
  it.write('later/file', '1')
  expect(await it.told()).toContain('config.yaml')
  const told: string[] = []
  while (!told.includes('later/file')) told.push(...(await it.told()))
  expect(told).not.toContain('beside.yaml')
  renameSync(join(it.directory, 'src'), join(it.directory, 'elsewhere'))
  it.write('src/fresh', '1')
  const replaced: string[] = []
  while (!replaced.includes('src/fresh')) replaced.push(...(await it.told()))
})

test('what rules ignore is not told, what they take back in is; other roots see what one ignores', async () => {
  await using it = await rig(
    () => undefined,
    (directory) => [
      { path: join(directory, 'src'), ignore: [{ base: directory, rules: gitIgnoreRules(['/src/*.log', 'out/', 'gen']) }] },
      { path: join(directory, 'src/gen/kept'), ignore: [] },
      { path: join(directory, 'web'), ignore: [{ base: join(directory, 'web'), rules: gitIgnoreRules(['data', '!data/keep']) }] },
    ],
  )
  for (const path of [
    'src/a.log',
    'src/out/x',
    'src/.git/HEAD',
    'src/node_modules/m/i.js',
    'src/a~',
    'src/.a.swp',
    'src/#a#',
    'src/4913',
  ])
    it.write(path, '1')
  it.write('src/a.py', '1')
  expect(await it.told()).toEqual(expect.arrayContaining(['src/a.py']))
  it.write('src/out/x', '2')
  it.write('src/deep.swf', '1')
  expect(await it.told()).toEqual(['src/deep.swf'])
  it.write('src/gen/kept/a', '1')
  const told: string[] = []
  while (!told.includes('src/gen/kept/a')) told.push(...(await it.told()))
  it.write('web/data/keep', '1')
  while (!told.includes('web/data/keep')) told.push(...(await it.told()))
})

test('roots can be changed: what is new is told, what stays is not, what has gone is silent', async () => {
  await using it = await rig((directory) => {
    file('src/a')(directory)
    file('more/b')(directory)
  })
  const root = (name: string) => ({ path: join(it.directory, name), ignore: [] })
  await it.watch.update([root('src'), root('more'), root('mark')])
  expect(await it.told()).toEqual(['more', 'more/b'])
  await it.watch.update([root('more'), root('mark')])
  it.write('src/a', 'two')
  it.write('more/b', 'two')
  expect(await it.told()).toEqual(['more/b'])
})

test('a save that keeps size and time is told', async () => {
  await using it = await rig(file('src/a', 'aaaa'))
  writeFileSync(join(it.directory, 'src/a'), 'bbbb')
  utimesSync(join(it.directory, 'src/a'), 1, 1)
  expect(await it.told()).toEqual(['src/a'])
})

/** `src/a`, of which the watch hears nothing when it is written by another name of the same file. */
const unheard = (directory: string): void => {
  file('src/a')(directory)
  linkSync(join(directory, 'src/a'), join(directory, 'elsewhere'))
}

test('a change without an event is found by comparing, once', async () => {
  await using it = await rig((directory) => {
    unheard(directory)
    file('src/b')(directory)
  })
  it.write('elsewhere', 'changed')
  expect(await it.told()).toEqual([])
  await it.watch.reconcile()
  expect(await it.told()).toEqual(['src/a'])
  await it.watch.reconcile()
  expect(await it.told()).toEqual([])
})

test('a change without an event is found when nothing happens for a while', async () => {
  await using it = await rig(unheard, undefined, { idleMs: 100 })
  it.write('elsewhere', 'changed')
  const told: string[] = []
  while (!told.includes('src/a')) told.push(...(await it.told()))
})

test('a change without an event is found after many events, of which some may have been lost', async () => {
  await using it = await rig(unheard)
  it.write('elsewhere', 'changed')
  for (let at = 0; at < 2000; at++) it.write(`src/f${at}`, '')
  const told: string[] = []
  while (!told.includes('src/a')) told.push(...(await it.told()))
})

/** Tells on stdout what it is told. */
const printing = `
const { watchFiles } = await import(process.argv[1] + '/src/host/watch.ts')
const watch = await watchFiles([{ path: process.argv[2], ignore: [] }], { never: /^$/, warn: () => {} }, new AbortController().signal)
console.log('watching')
for await (const { paths } of watch.batches) console.log(paths.join())
`

test('a change without an event is found when the program was stopped, as by a sleep of the machine', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'devkit-watch-'))
  unheard(directory)
  const args = ['--input-type=module', '-e', printing, join(import.meta.dirname, '../../..'), join(directory, 'src')]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    expect((await lines.next()).value).toBe('watching')
    child.kill('SIGSTOP')
    writeFileSync(join(directory, 'elsewhere'), 'changed')
    // longer than a beat of its heart and the delay that a busy machine may have
    await new Promise((resolve) => setTimeout(resolve, 1500))
    child.kill('SIGCONT')
    expect((await lines.next()).value).toBe(join(directory, 'src/a'))
  } finally {
    child.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
})

test('what is written without a pause is told all the same', async () => {
  await using it = await rig(file('src/a'))
  const batches = it.watch.batches[Symbol.asyncIterator]()
  const writer = spawn('sh', ['-c', 'while :; do echo a > a; echo b > b; done'], { cwd: join(it.directory, 'src') })
  expect(((await batches.next()).value as FileBatch).paths).toContain(join(it.directory, 'src/a'))
  writer.kill('SIGKILL')
})

test('10,000 files written at once are all told', async () => {
  await using it = await rig(() => undefined)
  for (let at = 0; at < 100; at++) mkdirSync(join(it.directory, `src/d${at}`))
  for (let at = 0; at < 10_000; at++) writeFileSync(join(it.directory, `src/d${at % 100}/f${at}`), '')
  const told = new Set<string>()
  await it.watch.reconcile()
  for (const path of await it.told()) told.add(path)
  expect([...told].filter((path) => /f\d+$/.test(path))).toHaveLength(10_000)
}, 120_000)

/** A disk that takes its time over a save, in ms: longer than the quiet after which a lone event is told. */
const slowly = (): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)

/** Ways of saving, each as the editor's own system calls do it (strace). A busy machine may tear these apart, hence the tries. */
const saves: Readonly<Record<string, (path: string) => void>> = {
  'in place, truncated first (VS Code)': (path) => {
    truncateSync(path, 0)
    slowly()
    writeFileSync(path, 'two', { flag: 'r+', flush: true })
  },
  'written beside, renamed over (JetBrains)': (path) => {
    writeFileSync(`${path}___jb_tmp___`, 'two')
    renameSync(path, `${path}___jb_old___`)
    renameSync(`${path}___jb_tmp___`, path)
    rmSync(`${path}___jb_old___`)
  },
  'moved to a backup, written anew (Emacs)': (path) => {
    symlinkSync('me@host.1:1', join(dirname(path), '.#a'))
    renameSync(path, `${path}~`)
    writeFileSync(path, 'two')
    rmSync(join(dirname(path), '.#a'))
  },
  'copied to a backup, written in place (Emacs, backup-by-copying)': (path) => {
    symlinkSync('me@host.1:1', join(dirname(path), '.#a'))
    copyFileSync(path, `${path}~`)
    writeFileSync(path, 'two', { flush: true })
    rmSync(join(dirname(path), '.#a'))
  },
  'beside it under a name that nobody knows, renamed over (Emacs, file-precious-flag; Kate, Zed, sed)': (path) => {
    const temporary = join(dirname(path), 'tmpuOzHAf')
    writeFileSync(temporary, '', { mode: 0o600 })
    slowly()
    writeFileSync(temporary, 'two', { flush: true })
    renameSync(temporary, path)
    chmodSync(path, 0o644)
  },
  'in three parts': (path) => {
    writeFileSync(path, 't')
    appendFileSync(path, 'w')
    appendFileSync(path, 'o')
  },
  'sed -i': (path) => void execFileSync('sed', ['-i', 's/one/two/', path]),
}

test.each(Object.keys(saves))('saved %s: told once', { retry: 3 }, async (way) => {
  await using it = await rig(file('src/a'))
  saves[way]?.(join(it.directory, 'src/a'))
  expect(await it.batches()).toEqual([['src/a']])
  expect(readFileSync(join(it.directory, 'src/a'), 'utf8').trim()).toBe('two')
})

test('what has just been made is given its time: it may be renamed over another', async () => {
  await using it = await rig(file('src/a'))
  const directory = join(it.directory, 'src')
  const listener = { stirred: () => undefined, refused: () => undefined, silent: () => undefined }
  const snapshot = new Snapshot(neverSynced, listener)
  snapshot.setRoots([{ path: directory, ignore: [] }])
  const found: string[] = []
  const held = (name: string): boolean => {
    writeFileSync(join(directory, name), 'two')
    return snapshot.look(directory, name, true, found) === 'hold'
  }
  // a machine that is too busy looks too late, but not at every one
  const name = Array.from({ length: 50 }, (_, made) => `new${made}`).find(held) ?? 'none is held'
  found.length = 0
  renameSync(join(directory, name), join(directory, 'a'))
  snapshot.look(directory, name, false, found)
  expect(found).toEqual([])
  expect(snapshot.look(directory, 'a', true, found)).toBe('changed')
  snapshot.setRoots([])
})

test('git checkout: every file that differs is told', async () => {
  await using it = await rig((directory) => {
    const git = (...args: string[]): string =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], {
        cwd: join(directory, 'src'),
        encoding: 'utf8',
      })
    git('init', '-q')
    for (let at = 0; at < 200; at++) file(`src/f${at}`, 'main')(directory)
    git('add', '.')
    git('commit', '-qm', 'main')
    git('checkout', '-qb', 'other')
    for (let at = 0; at < 100; at++) file(`src/f${at}`, 'other')(directory)
    rmSync(join(directory, 'src/f150'))
    file('src/added/file')(directory)
    git('add', '-A')
    git('commit', '-qm', 'other')
  })
  execFileSync('git', ['checkout', '-q', 'master'], { cwd: join(it.directory, 'src') })
  const told = await it.told()
  expect(told.filter((path) => /\/f\d+$/.test(path))).toHaveLength(101)
  expect(told).toEqual(expect.arrayContaining(['src/added', 'src/added/file', 'src/f150']))
})

/** Run where the machine allows few watches: seven directories, then one change in each. */
const limited = `
const { watchFiles } = await import(process.argv[1] + '/src/host/watch.ts')
const { mkdirSync, writeFileSync } = await import('node:fs')
const directory = process.argv[2]
for (let at = 0; at < 7; at++) mkdirSync(directory + '/d' + at)
const warnings = []
const watch = await watchFiles([{ path: directory, ignore: [] }], { never: /^$/, warn: (problem) => warnings.push(problem) }, new AbortController().signal)
for (let at = 0; at < 7; at++) writeFileSync(directory + '/d' + at + '/f', '')
const told = new Set()
for await (const { paths } of watch.batches) {
  for (const path of paths) told.add(path)
  if (told.size === 7) break
}
console.log(JSON.stringify(warnings.map(({ code, message, hint }) => ({ code, message, hint }))))
process.exit(0)
`

test.each([
  ['watches', 5, 'sudo sysctl fs.inotify.max_user_watches='],
  ['instances', 0, 'sudo sysctl fs.inotify.max_user_instances='],
])('limit of %s reached: one warning with what raises it, and what is not covered is polled', (what, limit, command) => {
  const directory = mkdtempSync(join(tmpdir(), 'devkit-watch-'))
  try {
    // the limit of the user namespace, not of the machine: nobody else's watches are touched
    const lower = `echo ${limit} > /proc/sys/user/max_inotify_${what} && exec "$0" "$@"`
    const args = [process.execPath, '--input-type=module', '-e', limited, join(import.meta.dirname, '../../..'), directory]
    const said = execFileSync('unshare', ['-Ur', 'sh', '-c', lower, ...args], { encoding: 'utf8', timeout: 20_000 })
    expect(JSON.parse(said)).toEqual([
      {
        code: 'SYNC-103',
        message: expect.stringContaining('no more file watches'),
        hint: expect.stringContaining(command),
      },
    ])
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

beforeAll(() => {
  for (const program of ['vim', 'bindfs'])
    if (spawnSync(program, ['--version']).error)
      execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', program])
}, 300_000)

test('a file system of which no events come is told once, and what others change there is found; what it tells comes at once', async () => {
  const shared = (directory: string): string => join(directory, 'src/shared')
  await using it = await rig((directory) => {
    file('theirs/a')(directory)
    file('theirs/deep/b')(directory)
    mkdirSync(shared(directory))
    // what goes on behind it, it tells nobody: as a share of another machine
    execFileSync('bindfs', ['-o', 'attr_timeout=0,entry_timeout=0', join(directory, 'theirs'), shared(directory)])
  })
  using mount = new DisposableStack()
  mount.defer(() => void execFileSync('umount', [shared(it.directory)]))
  expect(it.warnings.map(({ code, message }) => ({ code, message }))).toEqual([
    { code: 'SYNC-115', message: expect.stringContaining(`${shared(it.directory)} is on FUSE`) },
  ])
  it.write('src/shared/a', 'by this machine')
  expect(await it.told()).toEqual(['src/shared/a'])
  it.write('theirs/deep/b', 'by another')
  it.write('theirs/new', 'by another')
  const told: string[] = []
  while (!(told.includes('src/shared/deep/b') && told.includes('src/shared/new'))) told.push(...(await it.told()))
  expect(it.warnings).toHaveLength(1)
})

test('saved by vim, whichever way it keeps a backup: nothing but the file is told', async () => {
  for (const way of ['yes', 'no', 'auto']) {
    await using it = await rig(file('src/a'))
    const keys = `set backup writebackup backupcopy=${way} backupdir=. directory=.`
    execFileSync('vim', ['-u', 'NONE', '-N', '-es', '-c', keys, '-c', '%s/one/two/', '-c', 'wq', 'a'], {
      cwd: join(it.directory, 'src'),
    })
    const told = await it.batches()
    // vim writes, then sets mode and owner: on a busy machine these come apart, and content hashes make one of them
    expect(new Set(told.flat()), way).toEqual(new Set(['src/a']))
    expect(readFileSync(join(it.directory, 'src/a'), 'utf8')).toContain('two')
  }
})
