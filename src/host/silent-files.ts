import { statfsSync } from 'node:fs'

/**
 * File systems whose files change without a word to this machine's kernel, because another machine changes them, by the number that statfs gives.
 * @see https://man7.org/linux/man-pages/man2/statfs.2.html and, for drvfs (WSL2's /mnt/c is 9p), https://github.com/microsoft/WSL/issues/4739
 */
const silentTypes: ReadonlyMap<number, string> = new Map([
  [0x01021997, '9p'],
  [0x65735546, 'FUSE or virtiofs'],
  [0x6969, 'NFS'],
  [0xff534d42, 'SMB'],
  [0xfe534d42, 'SMB'],
  [0x786f4256, 'vboxsf'],
  [0xbacbacbc, 'vmhgfs'],
  [0x7c7c6673, 'prl_fs'],
  [0x00c36400, 'Ceph'],
  [0x5346414f, 'AFS'],
])

/** The name of the file system that a path is on where it may be silent about changes; else undefined. */
export function silentFileSystem(path: string): string | undefined {
  try {
    return silentTypes.get(statfsSync(path).type)
  } catch {
    return undefined
  }
}
