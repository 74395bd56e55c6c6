import { defineProfile } from '../src/index.ts'

/** The production manifests as they are. */
export default defineProfile({})
