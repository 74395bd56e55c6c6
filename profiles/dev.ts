import { defineProfile } from '../src/index.ts'

/** A laptop: one of each, asking for little, never slowed down by a CPU limit, programs that restart in place, files that can be synced. */
export default defineProfile({ maxReplicas: 1, cpuLimits: 'drop', requests: 0.25, supervise: true, writable: true })
