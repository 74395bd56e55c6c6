import type { Builder } from './build/builder.ts'
import { buildx } from './build/buildx.ts'
import { type ExistingParts, existing } from './cluster/existing.ts'
import { type KindParts, kind } from './cluster/kind.ts'
import { type MirrorParts, withMirrors } from './cluster/mirrors.ts'
import type { Cluster, ClusterProvider } from './cluster/provider.ts'
import type { ClusterSpec } from './config/schema.ts'
import type { Delivery } from './images/delivery.ts'
import { delta } from './images/delta.ts'
import { type Push, push } from './images/push.ts'
import { manifests } from './render/manifests.ts'
import type { Renderer } from './render/renderer.ts'
import { dotenv } from './secrets/dotenv.ts'
import { type EnvironmentParts, environment } from './secrets/environment.ts'
import { generate } from './secrets/generate.ts'
import type { SecretProviders } from './secrets/read.ts'
import { execStream } from './sync/exec-stream.ts'
import { nodeStream } from './sync/node-stream.ts'
import type { SyncTransport } from './sync/transport.ts'

type Names<Union> = Union extends unknown ? keyof Union : never

/** Every part by its name in the config: a name in the schema without a part here does not compile. */
export interface Toolbox {
  readonly provider: { readonly [name in Names<ClusterSpec>]: ClusterProvider }
  readonly builder: Builder
  readonly delivery: Delivery
  readonly renderer: Renderer
  /** Where images go when nodes cannot be entered. */
  readonly push: Push
  /** Where the values of Secrets come from. */
  readonly secrets: SecretProviders
  readonly transport: { readonly node: SyncTransport; readonly exec: SyncTransport }
}

export function makeToolbox(parts: KindParts & MirrorParts & ExistingParts & EnvironmentParts): Toolbox {
  return {
    provider: { kind: withMirrors(kind(parts), parts), existing: existing(parts) },
    builder: buildx(parts),
    delivery: delta(parts),
    renderer: manifests,
    push: push(parts),
    secrets: { dotenv, environment: environment(parts), generate },
    transport: { node: nodeStream(parts), exec: execStream() },
  }
}

/** The provider that a cluster's spec names. */
export function providerOf({ provider }: Toolbox, spec: ClusterSpec): ClusterProvider {
  const [name] = Object.keys(spec) as [Names<ClusterSpec>]
  return provider[name]
}

/** How files come into the containers of a cluster: by its nodes where they can be entered, else by its API. */
export function transportOf({ transport }: Toolbox, { nodes }: Pick<Cluster, 'nodes'>): SyncTransport {
  return nodes.length > 0 ? transport.node : transport.exec
}
