import * as v from 'valibot'
import { secretsSchema } from './secrets.ts'
import { count, described, names, text, texts } from './words.ts'

const serviceOverlay = v.strictObject({
  command: described('Replaces the ENTRYPOINT of the container.', v.optional(texts)),
  args: described('Replaces the CMD of the container.', v.optional(texts)),
  env: described('Added to, or put in place of, the variables of the container.', v.optional(names)),
  replicas: described('How many pods there are.', v.optional(count)),
})

/** What a profile lays over the production manifests. Everything is optional: `production` says nothing. */
export const profileSchema = v.strictObject({
  extends: described(
    'The profile whose values hold where this one is silent, or several: of two that speak the later one holds.',
    v.optional(v.union([text, texts])),
  ),
  maxReplicas: described('Replicas of every Deployment and StatefulSet that has more.', v.optional(count)),
  cpuLimits: described(
    '`drop` removes CPU limits, which only slow a laptop down; memory limits stay.',
    v.optional(v.picklist(['keep', 'drop'])),
  ),
  requests: described(
    'Share of the CPU and memory requests that is asked for, from 0 to 1.',
    v.optional(v.pipe(v.number(), v.minValue(0, 'from 0 to 1'), v.maxValue(1, 'from 0 to 1'))),
  ),
  supervise: described(
    'Whether programs of synced services run under a supervisor, which restarts them in place.',
    v.optional(v.boolean()),
  ),
  writable: described(
    'Whether a container that may not write its root (`readOnlyRootFilesystem`) gets a writable copy of what sync rules lead into. Only in clusters whose nodes cannot be entered: elsewhere files come in without it.',
    v.optional(v.boolean()),
  ),
  secrets: described('What is laid over the Secrets of the config, or added to them.', v.optional(secretsSchema)),
  services: described('What is laid over single services, by their names.', v.optional(v.record(text, serviceOverlay))),
})

export type UserProfile = v.InferInput<typeof profileSchema>
export type Profile = v.InferOutput<typeof profileSchema>
export type ServiceOverlay = v.InferOutput<typeof serviceOverlay>
