import { join } from 'node:path'
import type { Files, Host } from '../host/host.ts'
import { DevkitError } from '../lib/errors.ts'
import type { Step } from '../lib/step.ts'
import type { Cluster, ClusterProvider } from './provider.ts'

/** What giving mirrors to nodes may touch. */
export interface MirrorParts extends Pick<Host, 'engine'> {
  readonly files: Pick<Files, 'readJson' | 'writePrivate'>
  readonly stateDirectory: string
  /** From the machine's settings file: registry host, or `_default` for all others, → address to ask first. */
  readonly mirrors: Readonly<Record<string, string>>
}

/**
 * A provider whose nodes ask the machine's registry mirrors first, and forget them when the setting goes. What was given is remembered
 * beside the cluster's state, so that a run with nothing changed asks no node.
 * @see https://github.com/containerd/containerd/blob/main/docs/hosts.md: the files are read for every pull, nothing has to be restarted
 */
export function withMirrors(provider: ClusterProvider, parts: MirrorParts): ClusterProvider {
  return {
    ...provider,
    async ensure(request, ports, step, nodesRun) {
      const ensured = await provider.ensure(request, ports, step, nodesRun)
      const record = join(parts.stateDirectory, 'clusters', request.name, 'mirrors.json')
      const given = ensured.outcome === 'created' ? undefined : await parts.files.readJson<MirrorParts['mirrors']>(record)
      const [before, wanted] = [JSON.stringify(given ?? {}), JSON.stringify(parts.mirrors)]
      if (before === wanted) return ensured
      await giveMirrors(ensured.cluster, parts, step)
      await parts.files.writePrivate(record, wanted)
      return ensured.outcome === 'created' ? ensured : { ...ensured, outcome: 'configured' }
    },
  }
}

/** First line of the files that are ours: others' stay. */
const mark = "# written by devkit from the machine's settings file"

async function giveMirrors({ name, nodes }: Cluster, { engine, mirrors }: MirrorParts, step: Step): Promise<void> {
  const argv = Object.entries(mirrors).flatMap(([registry, address]) => [registry, hostsFile(address)])
  for (const node of nodes) {
    const { exitCode, stdout, stderr } = await (await engine()).run(node, ['bash', '-c', script, 'devkit', mark, ...argv], step)
    for (const line of stdout.split('\n').filter(Boolean)) step.say(line, 'stderr')
    if (exitCode !== 0)
      throw new DevkitError('CLUSTER-110', {
        message: `The node ${node} of ${name} did not take the registry mirrors of the machine settings file.`,
        hint: 'Look at the lines below; `devkit config --machine` shows the mirrors.',
        detail: stderr,
      })
  }
}

/** The file that containerd reads for one registry. The registry itself is asked when the mirror does not have an image. */
export function hostsFile(address: string): string {
  const url = new URL(address.includes('://') ? address : `https://${address}`)
  const path = url.pathname.replace(/\/+$/, '')
  return [
    mark,
    `[host."${url.protocol}//${url.host}${path}"]`,
    '  capabilities = ["pull", "resolve"]',
    // a mirror below a path says where its API is: containerd must not add /v2
    ...(path === '' ? [] : ['  override_path = true']),
    '',
  ].join('\n')
}

/** Writes the wanted files, then removes those of ours that are no longer wanted. A file of somebody else's is left alone, and said. */
const script = `set -eu
mark=$1; shift
mkdir -p /etc/containerd/certs.d; cd /etc/containerd/certs.d
ours() { [ ! -e "$1" ] || { IFS= read -r first < "$1" && [ "$first" = "$mark" ]; }; }
wanted=' '
while [ $# -gt 0 ]; do
  if ours "$1/hosts.toml"; then
    mkdir -p "$1"; printf %s "$2" > "$1/.hosts.toml"; mv "$1/.hosts.toml" "$1/hosts.toml"
  else echo "The node has its own settings for $1: the mirror is not given to it."; fi
  wanted="$wanted$1 "; shift 2
done
for file in */hosts.toml; do
  [ -e "$file" ] && ours "$file" || continue
  case $wanted in *" \${file%/hosts.toml} "*) ;; *) rm "$file"; rmdir "\${file%/*}" 2>/dev/null || : ;; esac
done
`
