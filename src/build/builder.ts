import type { BuildSpec } from '../config/schema.ts'
import type { Step } from '../lib/step.ts'

/** Makes images from sources. */
export interface Builder {
  /** Looks whether what the build reads is there, before anything is touched. @throws BUILD-101, BUILD-103 */
  check(request: Pick<BuildRequest, 'service' | 'directory' | 'spec'>): Promise<void>
  /** The name that a build of the tree as it is now has. No engine is asked. */
  reference(request: BuildRequest): Promise<string>
  /** @throws BUILD-101 … BUILD-104, ENGINE-104 */
  build(request: BuildRequest, step: Step): Promise<BuiltImage>
}

export interface BuildRequest {
  readonly service: string
  readonly project: string
  /** Repository of the image as the manifests name it. */
  readonly repository: string
  /** Directory that the spec's paths start from, absolute. */
  readonly directory: string
  readonly spec: BuildSpec
}

/** An image in the engine. */
export interface Image {
  /** `REPOSITORY:devkit-FINGERPRINT`, as it stands in the cluster. */
  readonly reference: string
  /** Digest of its configuration. */
  readonly id: string
  readonly outcome: 'built' | 'cached'
}

/** An image, and what is surely in it. */
export interface BuiltImage extends Image {
  /** What the build read: path relative to the context → content hash. A file that changed meanwhile is left out. */
  readonly files: Readonly<Record<string, string>>
}

/** Label on every image that devkit builds: its project. */
export const projectLabel = 'dev.devkit.project'
