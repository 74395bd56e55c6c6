import { defineProfile } from '../src/index.ts'

/** As `dev`, for looking closer: a program that stands at a breakpoint is not ended, and tools have the memory that they take. */
export default defineProfile({
  extends: 'dev',
  memoryLimits: 'drop',
  probes: { startup: 'drop', liveness: 'drop' },
})
