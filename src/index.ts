import type { UserProfile } from './config/profile-schema.ts'
import type { UserConfig } from './config/schema.ts'

/** Types a devkit config as it is written; returns it unchanged. */
export function defineConfig<const T extends UserConfig>(config: T): T {
  return config
}

/** Types a profile as it is written; returns it unchanged. */
export function defineProfile<const T extends UserProfile>(profile: T): T {
  return profile
}

export type { UserProfile } from './config/profile-schema.ts'
export type { UserConfig } from './config/schema.ts'
export type { Event } from './events/event.ts'
