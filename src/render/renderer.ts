import type { Manifest } from '../lib/objects.ts'
import type { Step } from '../lib/step.ts'

/** Turns one sort of source into manifests. */
export interface Renderer<Source> {
  /** @throws RENDER-101 … RENDER-107: the manifests, or the program that makes them, are wrong */
  render(source: Source, input: RenderInput, step: Pick<Step, 'signal'>): Promise<readonly Manifest[]>
  /** Everything that a render reads below the project or beside it: a change of it renders again. */
  inputs(source: Source, directory: string): Promise<readonly Input[]>
}

/** What a source may depend on beside its own files. */
export interface RenderInput {
  /** Absolute; paths in the source are relative to it. */
  readonly directory: string
  readonly namespace: string
  /** The version that is rendered for, as `1.34`. */
  readonly kubernetes: string
  /** What that version has, as `apps/v1` and `apps/v1/Deployment`. */
  readonly apiVersions: readonly string[]
  /** Whether values that a source wants generated may be made up. They are the same everywhere, hence no secrets. */
  readonly invents: boolean
}

/** A file, or a directory with all below it. */
export interface Input {
  /** Absolute. */
  readonly path: string
  /** Which files below it count; default: all. */
  readonly counts?: (path: string) => boolean
}
