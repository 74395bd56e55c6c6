import type { Builder } from './build/builder.ts'
import { buildx } from './build/buildx.ts'
import { type ExistingParts, existing } from './cluster/existing.ts'
import { type KindParts, kind } from './cluster/kind.ts'
import { type MirrorParts, withMirrors } from './cluster/mirrors.ts'
import type { Cluster, ClusterProvider } from './cluster/provider.ts'
import type { ClusterSpec } from './config/schema.ts'
import type { Source } from './config/sources.ts'
import type { Delivery } from './images/delivery.ts'
import { delta } from './images/delta.ts'
import { type Push, push } from './images/push.ts'
import { command } from './render/command.ts'
import { helm } from './render/helm.ts'
import { kustomize } from './render/kustomize.ts'
import { manifests } from './render/manifests.ts'
import type { PrintParts } from './render/printed.ts'
import type { Renderer } from './render/renderer.ts'
import { template } from './render/template.ts'
import { dotenv } from './secrets/dotenv.ts'
import { type EnvironmentParts, environment } from './secrets/environment.ts'
import { generate } from './secrets/generate.ts'
import type { SecretProviders } from './secrets/read.ts'
import { execStream } from './sync/exec-stream.ts'
import { nodeStream } from './sync/node-stream.ts'
import type { SyncTransport } from './sync/transport.ts'

type Names<Union> = Union extends unknown ? keyof Union : never

/** What a source is, by the name that it has in the config; `files` is the path alone. */
type SourceName = 'files' | (Names<Exclude<Source, string>> & ('kustomize' | 'helm' | 'template' | 'command'))
type SourceOf<Name extends SourceName> = Name extends 'files' ? string : Extract<Source, { readonly [name in Name]: unknown }>

/** Every part by its name in the config: a name in the schema without a part here does not compile. */
export interface Toolbox {
  readonly provider: { readonly [name in Names<ClusterSpec>]: ClusterProvider }
  readonly builder: Builder
  readonly delivery: Delivery
  readonly renderer: { readonly [name in SourceName]: Renderer<SourceOf<name>> }
  /** Where images go when nodes cannot be entered. */
  readonly push: Push
  /** Where the values of Secrets come from. */
  readonly secrets: SecretProviders
  readonly transport: { readonly node: SyncTransport; readonly exec: SyncTransport }
}

export function makeToolbox(parts: KindParts & MirrorParts & ExistingParts & EnvironmentParts & PrintParts): Toolbox {
  return {
    provider: { kind: withMirrors(kind(parts), parts), existing: existing(parts) },
    builder: buildx(parts),
    delivery: delta(parts),
    renderer: { files: manifests, kustomize: kustomize(parts), helm: helm(parts), template, command: command(parts) },
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

/** The renderer that a source names. */
export function rendererOf({ renderer }: Pick<Toolbox, 'renderer'>, source: Source): Renderer<Source> {
  const name = typeof source === 'string' ? 'files' : (Object.keys(renderer) as SourceName[]).find((key) => key in source)
  return renderer[name ?? 'files'] as Renderer<Source>
}

/** How files come into the containers of a cluster: by its nodes where they can be entered, else by its API. */
export function transportOf({ transport }: Toolbox, { nodes }: Pick<Cluster, 'nodes'>): SyncTransport {
  return nodes.length > 0 ? transport.node : transport.exec
}
