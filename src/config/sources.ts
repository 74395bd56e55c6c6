import { text } from './words.ts'

/** One source of production manifests. */
export const sourceSpec = text
