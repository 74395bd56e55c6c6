import type { UserConfig, UserProfile } from './config/schema.ts'

/** Types a devkit config as it is written; returns it unchanged. */
export function defineConfig<const T extends UserConfig>(config: T): T {
  return config
}

/** Types a profile as it is written; returns it unchanged. */
export function defineProfile<const T extends UserProfile>(profile: T): T {
  return profile
}

export type { UserConfig, UserProfile } from './config/schema.ts'
export type { Event } from './events/event.ts'
