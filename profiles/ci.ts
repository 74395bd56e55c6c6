import { defineProfile } from '../src/index.ts'

/** A throw-away cluster: as `dev`, and asking for nothing that a busy runner may not have. */
export default defineProfile({ extends: 'dev', requests: 0.1, supervise: false, writable: false })
