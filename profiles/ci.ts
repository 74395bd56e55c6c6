import { defineProfile } from '../src/index.ts'

/** A throw-away cluster: as `dev`, asking for nothing that a busy runner may not have, and nothing that only a person needs. */
export default defineProfile({ extends: 'dev', requests: 0.1, maxGraceSeconds: 2, supervise: false, writable: false })
