import { createHash, type Hash } from 'node:crypto'

/**
 * The hash that says whether two files are the same for devkit: kind, exec bit, content. Feed it the content.
 * The tree is hashed with it, and so is what a transport really sends: a file can change in between.
 */
export function fileHash(mode: number): Hash {
  return createHash('sha256').update(mode & 0o111 ? 'exec\0' : 'file\0')
}

/** The same for a symlink. */
export function linkHash(to: string): string {
  return createHash('sha256').update(`link\0${to}`).digest('hex')
}
