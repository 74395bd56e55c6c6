import { expect, test } from 'vitest'
import { notMountedIn, withoutRoom } from '../../../../../src/deploy/diagnosis/text/mount.ts'

test.each([
  [
    'MountVolume.SetUp failed for volume "sock" : hostPath type check failed: /run/docker.sock is not a socket file',
    { why: 'host-path', volume: 'sock', path: '/run/docker.sock', wanted: 'socket file' },
  ],
  [
    'MountVolume.SetUp failed for volume "logs" : hostPath type check failed: /var/nothing is not a directory',
    { why: 'host-path', volume: 'logs', path: '/var/nothing', wanted: 'directory' },
  ],
  ['failed to prepare subPath for volumeMount "data" of container "main"', { why: 'sub-path', volume: 'data', said: '' }],
  [
    'failed to create subPath directory for volumeMount "data" of container "main": mkdir /x: not a directory',
    { why: 'sub-path', volume: 'data', said: 'mkdir /x: not a directory' },
  ],
  // containerd 1.7 with runc 1.1, and containerd 2 with runc 1.2
  [
    'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error mounting "/var/lib/kubelet/pods/1/volumes/kubernetes.io~configmap/files" to rootfs at "/etc/passwd": mount src=/var, dst=/etc/passwd, flags=0x5001: not a directory: unknown',
    { why: 'file-and-directory', path: '/etc/passwd' },
  ],
  [
    'Error response: error mounting "/x" to rootfs at "/etc/app": create mountpoint for /etc/app mount: cannot create subdirectories in "/etc/app": not a directory: Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type',
    { why: 'file-and-directory', path: '/etc/app' },
  ],
  [
    'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) web-1',
    { why: 'attached', volume: 'pvc-1', said: 'Volume is already used by pod(s) web-1' },
  ],
  ['MountVolume.SetUp failed for volume "tls" : secret "web-tls" not found', undefined],
  ['exec: "/app": stat /app: not a directory', undefined],
])('%s', (message, notMounted) => {
  expect(notMountedIn(message)).toEqual(notMounted)
})

test.each([
  [["dd: error writing '/data/big': No space left on device"], '/data/big'],
  [['Error: ENOSPC: no space left on device, write'], ''],
  [['PANIC:  could not write to file "pg_wal/xlogtemp.1": No space left on device'], ''],
  [['open /var/lib/x/y.db: disk quota exceeded', 'exit'], '/var/lib/x/y.db'],
  [['connection refused'], undefined],
])('%j is about no room at %j', (lines, path) => {
  expect(withoutRoom(lines)).toBe(path)
})
