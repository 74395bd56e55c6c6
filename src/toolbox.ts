import type { Builder } from './build/builder.ts'
import { buildx } from './build/buildx.ts'
import { type KindParts, kind } from './cluster/kind.ts'
import { type MirrorParts, withMirrors } from './cluster/mirrors.ts'
import type { ClusterProvider } from './cluster/provider.ts'
import type { ClusterSpec } from './config/schema.ts'
import type { Delivery } from './images/delivery.ts'
import { delta } from './images/delta.ts'
import { manifests } from './render/manifests.ts'
import type { Renderer } from './render/renderer.ts'
import { nodeStream } from './sync/node-stream.ts'
import type { SyncTransport } from './sync/transport.ts'

type Names<Union> = Union extends unknown ? keyof Union : never

/** Every part by its name in the config: a name in the schema without a part here does not compile. */
export interface Toolbox {
  readonly provider: { readonly [name in Names<ClusterSpec>]: ClusterProvider }
  readonly builder: Builder
  readonly delivery: Delivery
  readonly renderer: Renderer
  readonly transport: SyncTransport
}

export function makeToolbox(parts: KindParts & MirrorParts): Toolbox {
  return {
    provider: { kind: withMirrors(kind(parts), parts) },
    builder: buildx(parts),
    delivery: delta(parts),
    renderer: manifests,
    transport: nodeStream(parts),
  }
}

/** The provider that a cluster's spec names. */
export function providerOf({ provider }: Toolbox, spec: ClusterSpec): ClusterProvider {
  const [name] = Object.keys(spec) as [Names<ClusterSpec>]
  return provider[name]
}
