/** Why a node cannot give a container a volume, as far as the words of the kubelet and of the runtime tell. */
export type NotMounted =
  /** `found`: what is there instead, where it says so. */
  | { readonly why: 'host-path'; readonly volume: string; readonly path: string; readonly wanted: string }
  | { readonly why: 'sub-path'; readonly volume: string | undefined; readonly said: string }
  | { readonly why: 'file-and-directory'; readonly path: string | undefined }
  | { readonly why: 'attached'; readonly volume: string; readonly said: string }

/**
 * Understands FailedMount, FailedAttachVolume and what a container says that cannot be created.
 *
 *   MountVolume.SetUp failed for volume "sock" : hostPath type check failed: /run/x.sock is not a socket file
 *   failed to prepare subPath for volumeMount "data" of container "main"
 *   failed to create subPath directory for volumeMount "data" of container "main"
 *   … error mounting "/var/lib/…" to rootfs at "/etc/app.yaml": … not a directory: Are you trying to mount a directory onto a file (or vice-versa)? …
 *   Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) web-1
 */
export function notMountedIn(message: string): NotMounted | undefined {
  const host = /for volume "([^"]+)" : hostPath type check failed: (\S+) is not (?:an? )?(.+?)(?:: .*)?$/s.exec(message)
  if (host) return { why: 'host-path', volume: host[1] ?? '', path: host[2] ?? '', wanted: host[3] ?? '' }
  const sub =
    /failed to (?:prepare subPath|create subPath directory) for volumeMount "([^"]+)" of container "[^"]+"(?:: (.*))?$/s.exec(
      message,
    )
  if (sub) return { why: 'sub-path', volume: sub[1], said: sub[2] ?? '' }
  if (
    /trying to mount a directory onto a file|cannot create subdirectories|not a directory/i.test(message) &&
    /mount/i.test(message)
  )
    return { why: 'file-and-directory', path: /to rootfs at "([^"]+)"/.exec(message)?.[1] }
  const attached = /Multi-Attach error for volume "([^"]+)" (.*)$/s.exec(message)
  return attached ? { why: 'attached', volume: attached[1] ?? '', said: attached[2] ?? '' } : undefined
}

/** The path that a program had no room for, of one of its last lines; an empty text where the line names none; undefined where there was room. */
export function withoutRoom(lines: readonly string[]): string | undefined {
  const line = lines.findLast((one) => /No space left on device|\bENOSPC\b|Disk quota exceeded|\bEDQUOT\b/i.test(one))
  if (line === undefined) return undefined
  return [...line.matchAll(/(?:^|[\s'"`(=:])(\/[^\s'"`:),]+)/g)].map(([, path = '']) => path).find((path) => path !== '/') ?? ''
}
