import { defineProfile } from '../src/index.ts'

/** A laptop: one of each, asking for little, never slowed down by a CPU limit. */
export default defineProfile({ maxReplicas: 1, cpuLimits: 'drop', requests: 0.25 })
