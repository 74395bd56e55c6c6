import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { nodeRun } from '../../src/render/transforms/supervisor.ts'
import { supervisorScript } from '../../src/render/transforms/supervisor-script.ts'

// The supervisor in the shells that images have, and in a node's in an image that has none, run as a container would run it but for the namespace.

interface Form {
  /** The words that start the shell; `scratch` is there, and in its root, under the same name. */
  readonly shell: (scratch: string) => readonly string[]
  /** What stands before the names of other programs. */
  readonly run: string
  readonly isPresent: string
}

const node = nodeRun(process.arch === 'arm64' ? 'aarch64' : 'x86_64')
/** A root with nothing in it but the /usr of a node, as a read-only mount: not even a loader is where programs look for it. */
const bare = `
scratch=$0 root=$0/root; mkdir -p "$root/dev" "$root/proc" "$root/.devkit/usr" "$root$scratch"
mount --bind /usr "$root/.devkit/usr"; mount -o remount,bind,ro "$root/.devkit/usr"
for one in /dev /proc "$scratch"; do mount --bind "$one" "$root$one"; done
exec chroot "$root" "$@"`
const forms: Readonly<Record<string, Form>> = {
  sh: { shell: () => ['/bin/sh'], run: '', isPresent: 'true' },
  bash: { shell: () => ['bash', '--posix'], run: '', isPresent: 'command -v bash' },
  busybox: { shell: () => ['busybox', 'sh'], run: '', isPresent: 'command -v busybox' },
  'the node’s': {
    shell: (scratch) => ['unshare', '--mount', 'sh', '-ec', bare, scratch, ...`${node}sh`.split(' ')],
    run: node,
    isPresent: 'unshare --mount true',
  },
}
const present = Object.entries(forms).filter(([, { isPresent }]) => {
  try {
    execFileSync('sh', ['-c', isPresent], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})

/** A program that appends what happens to it to a file: its start with its pid, signals, and what it reads from stdin. */
const program = `
use strict; use warnings; $| = 1;
my ($log, $code) = @ARGV;
sub note { open(my $to, '>>', $log) or die; syswrite $to, "$_[0]\\n"; close $to }
for my $name (qw(HUP USR1 USR2 INT)) { $SIG{$name} = sub { note("got $name") } }
$SIG{TERM} = sub { note('got TERM'); if ($code eq 'slow') { $SIG{TERM} = 'IGNORE'; select undef, undef, undef, 1; note('done') } exit 7 };
$SIG{TERM} = 'IGNORE' if $code eq 'stubborn';
if ($code eq 'children') { for (1 .. 2) { fork or do { $SIG{TERM} = 'IGNORE'; note("child $$"); sleep 60; exit } } }
note("start $$");
if ($code =~ /^exit(\\d+)$/) { exit $1 }
while (1) { sleep 60; }
`

function marked(mark: string): readonly number[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      return readFileSync(`/proc/${name}/environ`, 'utf8').includes(`DEVKIT_TEST=${mark}`) ? Number(name) : []
    } catch {
      return []
    }
  })
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // it has ended
  }
}

describe.each(present)('%s', (_, { shell, run }) => {
  let scratch: string
  let log: string
  let child: ChildProcess | undefined
  let ended: Promise<number>
  let stdout = ''

  beforeEach(() => {
    scratch = mkdtempSync(join(tmpdir(), 'devkit-supervisor-'))
    log = join(scratch, 'log')
    stdout = ''
    writeFileSync(join(scratch, 'program.pl'), program)
    writeFileSync(log, '')
  })

  afterEach(async () => {
    // what a program has started is no child of ours: all that carry the mark, until none does
    for (let found = marked(scratch); found.length > 0; found = marked(scratch)) for (const pid of found) kill(pid)
    await ended
    rmSync(scratch, { recursive: true, force: true })
  })

  const lines = (): readonly string[] => readFileSync(log, 'utf8').split('\n').filter(Boolean)
  const starts = (): readonly number[] => lines().flatMap((line) => Number(/^(?:start|child) (\d+)$/.exec(line)?.[1] ?? []) || [])
  const runs = (pid: number): boolean => existsSync(`/proc/${pid}`) && !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  const killed = (): readonly string[] => readdirSync(scratch).filter((name) => name.startsWith('killed.'))
  const lease = (): string => join(scratch, 'lease')
  const renew = (): void => {
    writeFileSync(`${lease()}.part`, `${Date.now()} ${Math.floor(Date.now() / 1000) + 60}\n`)
    renameSync(`${lease()}.part`, lease())
  }
  const begin = (argv: readonly string[], withLease = false): void => {
    const [file = '', ...flags] = shell(scratch)
    child = spawn(file, [...flags, '-c', supervisorScript, 'devkit', scratch, withLease ? lease() : '', run, ...argv], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, LC_ALL: 'C', DEVKIT_TEST: scratch },
    })
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk
    })
    ended = new Promise((resolve) => child?.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGKILL' ? 137 : -1))))
  }
  /** Words that start a program where the shell is. */
  const words = (name: string): readonly string[] => `${run}${name}`.split(' ')
  const perl = (code: string): readonly string[] => {
    const modules = run === '' ? [] : [`-I${run.split(' ')[2]}/perl-base`]
    return [...words('perl'), ...modules, join(scratch, 'program.pl'), log, code]
  }
  const until = async (what: () => boolean): Promise<void> => {
    for (const deadline = Date.now() + 10_000; !what(); ) {
      if (Date.now() > deadline) throw new Error(`it did not come to ${what}: ${readFileSync(log, 'utf8')}`)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const ask = (line: string): void => appendFileSync(join(scratch, 'ask'), `${line}\n`)

  test('the exit code is the program’s own, and so is an end by a signal', async () => {
    begin(perl('exit3'))
    expect(await ended).toBe(3)
    begin(perl('exit0'))
    expect(await ended).toBe(0)
    begin([...words('sh'), '-c', 'kill -s KILL $$'])
    expect(await ended).toBe(137)
    begin(['/nowhere/to/be/found'])
    expect(await ended).toBe(127)
  })

  test('signals are passed on; TERM ends both, with the program’s code', async () => {
    begin(perl('run'))
    await until(() => lines().length === 1)
    for (const name of ['HUP', 'USR1', 'USR2'] as const) {
      child?.kill(`SIG${name}`)
      await until(() => lines().includes(`got ${name}`))
    }
    child?.kill('SIGTERM')
    expect(await ended).toBe(7)
    expect(lines().at(-1)).toBe('got TERM')
    expect(starts()).toHaveLength(1)
  })

  test('input and output are the program’s own', async () => {
    begin([...words('sh'), '-c', 'read -r line; echo "read: $line"'])
    child?.stdin?.end('what was typed\n')
    expect(await ended).toBe(0)
    expect(stdout).toBe('read: what was typed\n')
  })

  test('asked to restart, the program is another one under the same first process, and says so', async () => {
    begin(perl('run'))
    await until(() => existsSync(join(scratch, 'started.0')) && lines().length === 1)
    ask('restart 41 5')
    await until(() => existsSync(join(scratch, 'started.41')) && starts().length === 2)
    expect(lines()).toContain('got TERM')
    ask('restart 42 5')
    ask('restart 43 5')
    await until(() => existsSync(join(scratch, 'started.43')))
    await until(() => lines().at(-1)?.startsWith('start') === true)
    expect(new Set(starts()).size).toBe(starts().length)
    expect(existsSync(join(scratch, 'started.41'))).toBe(false)
    expect(killed()).toEqual([])
    child?.kill('SIGTERM')
    expect(await ended).toBe(7)
  })

  test('what does not end is killed, with its children', async () => {
    begin(perl('children'))
    await until(() => starts().length === 3)
    const before = starts()
    ask('restart 1 5')
    await until(() => starts().length > 3)
    // nothing of it is left when the next one has begun
    expect(before.filter(runs)).toEqual([])
  })

  test('a program that does not end within its grace is killed, which is told', async () => {
    begin(perl('stubborn'))
    await until(() => starts().length === 1)
    const began = performance.now()
    ask('restart 1 0.4')
    await until(() => starts().length === 2)
    expect(performance.now() - began).toBeGreaterThan(390)
    expect(killed()).toEqual(['killed.1'])
    ask('restart 2 0')
    await until(() => starts().length === 3)
    expect(killed()).toEqual(['killed.2'])
  })

  test('a program that needs its grace gets it', async () => {
    begin(perl('slow'))
    await until(() => starts().length === 1)
    ask('restart 1 5')
    await until(() => starts().length === 2)
    expect(lines()).toContain('done')
    expect(killed()).toEqual([])
  })

  test('the end of the container is not a restart’s: a program that is being restarted then has all of its time', async () => {
    begin(perl('slow'))
    await until(() => starts().length === 1)
    ask('restart 1 0.4')
    await until(() => lines().includes('got TERM'))
    child?.kill('SIGTERM')
    expect(await ended).toBe(7)
    expect(lines()).toContain('done')
    expect(starts()).toHaveLength(1)
  })

  test('gate: under a lease the program starts at go, not before', async () => {
    let beats = 0
    const beat = setInterval(() => {
      renew()
      beats++
    }, 200)
    try {
      renew()
      begin(perl('run'), true)
      await until(() => existsSync(join(scratch, 'ask')))
      await until(() => beats === 4)
      expect(lines()).toEqual([])
      ask('go')
      await until(() => starts().length === 1)
      expect(existsSync(join(scratch, 'started.0'))).toBe(true)
      ask('restart 5 1')
      await until(() => starts().length === 2)
    } finally {
      clearInterval(beat)
    }
  })

  test('gate: a lease that nobody renews any more holds for three seconds, or as long as it says; one that is over not at all', async () => {
    writeFileSync(lease(), `1 ${Math.floor(Date.now() / 1000) + 60}\n`)
    let began = performance.now()
    begin(perl('exit0'), true)
    expect(await ended).toBe(0)
    expect(performance.now() - began).toBeGreaterThan(2500)
    expect(performance.now() - began).toBeLessThan(8000)
    writeFileSync(lease(), `1 ${Math.floor(Date.now() / 1000) + 60} 1\n`)
    began = performance.now()
    begin(perl('exit0'), true)
    expect(await ended).toBe(0)
    expect(performance.now() - began).toBeGreaterThan(900)
    expect(performance.now() - began).toBeLessThan(2500)
    writeFileSync(lease(), '1 1000\n')
    began = performance.now()
    begin(perl('exit0'), true)
    expect(await ended).toBe(0)
    expect(performance.now() - began).toBeLessThan(1500)
  })

  test('gate: TERM ends it without having started anything', async () => {
    const beat = setInterval(renew, 200)
    try {
      renew()
      begin(perl('run'), true)
      await until(() => existsSync(join(scratch, 'ask')))
      child?.kill('SIGTERM')
      expect(await ended).toBe(143)
      expect(lines()).toEqual([])
    } finally {
      clearInterval(beat)
    }
  })
})
