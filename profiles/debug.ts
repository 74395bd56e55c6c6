import { defineProfile } from '../src/index.ts'

/** As `dev`; what a person adds to look closer goes over this one. */
export default defineProfile({ extends: 'dev' })
