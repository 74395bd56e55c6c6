import type { UserProfile } from './config/profile-schema.ts'
import type { ConfigContext, UserConfig } from './config/schema.ts'

/** Types a devkit config as it is written, or a function of the run that makes one; returns it unchanged. */
export function defineConfig(config: WrittenConfig): WrittenConfig {
  return config
}

/** What a config file exports. */
export type WrittenConfig = UserConfig | ((context: ConfigContext) => UserConfig | Promise<UserConfig>)

/** Types a profile as it is written; returns it unchanged. */
export function defineProfile<const T extends UserProfile>(profile: T): T {
  return profile
}

export type { UserProfile } from './config/profile-schema.ts'
export type { ConfigContext, UserConfig } from './config/schema.ts'
export type { Event } from './events/event.ts'
