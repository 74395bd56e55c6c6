import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { placesOf } from './places.ts'

/** A file of a Debian package, unpacked into the lab's cache beside the system: to install it would change the machine, and may start it. */
export function fromDebian(packageName: string, path: string): string {
  const cache = join(placesOf(process.env).cache, 'test-tools')
  const file = join(cache, basename(path))
  if (existsSync(file)) return file
  const work = join(cache, `work-${process.pid}`)
  mkdirSync(join(work, 'lists/partial'), { recursive: true })
  mkdirSync(join(work, 'archives/partial'), { recursive: true })
  const own = [`Dir::State::Lists=${work}/lists`, `Dir::Cache=${work}`, 'APT::Sandbox::User=root']
  const apt = (...args: string[]): void =>
    void execFileSync('apt-get', ['-qq', ...own.flatMap((option) => ['-o', option]), ...args], {
      cwd: work,
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  apt('update')
  apt('download', packageName)
  execFileSync('sh', ['-c', 'dpkg -x "$1"_*.deb unpacked', 'sh', packageName], { cwd: work })
  renameSync(join(work, 'unpacked', path), file)
  rmSync(work, { recursive: true, force: true })
  return file
}
