// Runs a TypeScript file of this repository on the repository's own Node, installing the packages first where they are missing.
// Plain JavaScript for Node 20 and newer: this is the first thing that runs on a fresh clone.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const root = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..')
const modules = join(root, 'node_modules')
const stamp = join(modules, '.installed')
/** Holds the pid of the one who installs. */
const installing = join(modules, '.installing')
const wanted = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex')
const node = join(modules, 'node/bin/node')
const complete = () => existsSync(node) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted

while (!complete()) {
  if (takeTurn()) install()
  else await delay(500)
}

/** False while another process installs here. What one that was killed left is removed: npm does not go on from it. */
function takeTurn() {
  if (existsSync(installing)) {
    if (isBootstrap(readFileSync(installing, 'utf8'))) return false
    rmSync(modules, { recursive: true, force: true })
  }
  mkdirSync(modules, { recursive: true })
  try {
    writeFileSync(installing, String(process.pid), { flag: 'wx' })
    return true
  } catch {
    return false
  }
}

function isBootstrap(pid) {
  const proc = join('/proc', pid || 'none', 'cmdline')
  if (existsSync('/proc/self')) return existsSync(proc) && readFileSync(proc, 'utf8').includes('bootstrap.mjs')
  return String(spawnSync('ps', ['-p', pid, '-o', 'args=']).stdout).includes('bootstrap.mjs')
}

function install() {
  console.error('Installing the packages of this repository (about 350 MB in node_modules, half a minute) …')
  // dev dependencies too, whatever NODE_ENV says: Node itself is one of them. Not `npm ci`: it refuses a lockfile without the optional
  // packages of other platforms, which is what npm writes behind a registry that does not have them all
  const npm = spawnSync('npm', ['install', '--no-save', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  })
  if (npm.error || npm.status !== 0) {
    console.error(
      `npm install failed${npm.error ? `: ${npm.error.message}` : ''}.\n→ Check the network and the registry of npm, then run this again.`,
    )
    process.exit(1)
  }
  if (!existsSync(node)) {
    console.error(`npm install made no ${node}.\n→ Allow install scripts for the package \`node\`, then run this again.`)
    process.exit(1)
  }
  writeFileSync(stamp, wanted)
  rmSync(installing, { force: true })
}

const [file, ...args] = process.argv.slice(2)
// the terminal's Ctrl-C reaches the child as well: it decides when to end, we pass its code on
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => undefined)
const { status, signal } = spawnSync(node, [join(root, file), ...args], { cwd: root, stdio: 'inherit' })
process.exit(signal ? 130 : (status ?? 1))
