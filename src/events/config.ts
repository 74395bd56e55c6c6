import * as v from 'valibot'

/** The document of `devkit config --json`; its type and `schema/resolved-config.json` are made from this. */
export const shownConfigSchema = v.strictObject({
  /** Absolute path of the config file. */
  file: v.string(),
  /** As the file has it, with defaults and with what the manifests say. */
  config: v.record(v.string(), v.unknown()),
  /** What devkit goes by: all decided, nothing done. */
  plan: v.looseObject({
    project: v.string(),
    env: v.string(),
    namespace: v.string(),
    profileName: v.string(),
    services: v.array(v.unknown()),
  }),
  /** Path of a value of `config` (those of the profile begin with `profile.`) → a place, a flag, a variable, a profile, what it is inferred from, or `default`. */
  origins: v.record(v.string(), v.string()),
})

export type ShownConfig = v.InferOutput<typeof shownConfigSchema>
