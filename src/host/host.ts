import type { Readable, Writable } from 'node:stream'
import type { DevkitError } from '../lib/errors.ts'
import type { IgnoreFile } from '../lib/ignore.ts'
import type { Step } from '../lib/step.ts'
import type * as files from './files.ts'
import type { Space, WatchUse } from './resources.ts'

/** The machine, as narrow as the rooms need it. Each part is opened when first used. */
export interface Host {
  readonly exec: Exec
  /** Which file a program is and when that was written, in words; undefined when it is not there. Another program gives other words. */
  readonly programFile: (program: string) => Promise<string | undefined>
  readonly engine: () => Promise<Engine>
  readonly watch: WatchFiles
  readonly files: Files
  /** Gives memory that was needed for a moment back to the system. Takes some 100 ms: call it when nobody waits. */
  readonly giveMemoryBack: () => void
  readonly lock: TakeLock
  /** The program that listens on a TCP port of this machine, as a person knows it; undefined where it can't be told. */
  readonly listenerOn: (port: number) => Promise<string | undefined>
  /** The room at a path, or at the nearest directory above it that is there. */
  readonly spaceAt: (path: string) => Promise<Space>
  /** How much of what may be watched is watched; undefined where the system has no limit. */
  readonly watchUse: () => Promise<WatchUse | undefined>
  /** Name and kernel of this machine: an engine that says the same runs on it, and not in a machine of its own. */
  readonly identity: () => { readonly name: string; readonly kernel: string }
}

/** Takes a lock by its name, or says who holds it. The lock ends with what is returned, at the latest with this process. */
export type TakeLock = (name: string) => Promise<AsyncDisposable | LockHolder>

/** Who holds a lock: unknown where the holder does not answer. */
export interface LockHolder {
  /** What it does, e.g. `devkit watch in /home/ada/shop`. */
  readonly what: string
  readonly pid: number | undefined
  /** ISO 8601. */
  readonly since: string | undefined
  /** Whether it is worth waiting for: a `watch` goes on until somebody ends it. */
  readonly endsByItself: boolean
}

/** Reading and writing the working tree and devkit's own state. */
export interface Files extends Omit<typeof files, never> {
  /** The file or symlink at `path` now; undefined for what is gone and for everything else (directories, sockets, pipes). A file is read only when it may have changed. */
  stateOf(path: string): Promise<FileState | undefined>
  /**
   * All files and symlinks below `root` by their path relative to it, with `/`. `skip` sees relative paths and prunes directories.
   * A root that is not there is empty. `onEmpty` is told the relative path of each directory below the root in which none of them is.
   * @throws SYNC-113 when a directory cannot be read
   */
  treeOf(
    root: string,
    skip: (path: string, directory: boolean) => boolean,
    onEmpty?: (path: string) => void,
  ): Promise<ReadonlyMap<string, FileState>>
  /** Which of the paths (absolute) are not what they were when this was last asked, or at the beginning: a touch is no change. */
  changed(paths: readonly string[]): Promise<readonly ChangedPath[]>
  /** Takes the hashes that an earlier run wrote down in `PROJECT/.devkit/NAME`, and writes down this run's until the end. */
  remember(file: string): Promise<AsyncDisposable>
}

/**
 * What a path of the working tree is. `hash` covers kind, content (or a link's target) and the exec bit; that of a file that cannot be read is
 * one that no content has.
 */
export type FileState =
  | { readonly kind: 'file'; readonly hash: string; readonly mode: number; readonly bytes: number }
  | { readonly kind: 'link'; readonly hash: string; readonly to: string }

export interface ChangedPath {
  readonly path: string
  /** Surely no file: a directory that came, or something that nobody asked about before it went. */
  readonly directory: boolean
}

/**
 * Runs a program to its end. Lines of its output go to `step`; an abort ends it and its children as a group.
 * The machine's settings file may say where it is: docker, kind, buildx, helm, kubectl, kustomize.
 */
export type Exec = (program: string, args: readonly string[], step: Step, options?: ExecOptions) => Promise<ExecResult>

export interface ExecOptions {
  readonly cwd?: string
  readonly stdin?: string
  readonly env?: Readonly<Record<string, string>>
  /** Lines are not passed on to `step.say`. */
  readonly quiet?: boolean
}

/** What a program said and how it ended. A program that is not there is `exitCode: 'missing'`. */
export interface ExecResult {
  readonly exitCode: number | 'missing'
  readonly stdout: string
  readonly stderr: string
  /** The last lines of both streams in the order they came. */
  readonly tail: readonly string[]
  /** The command as it can be pasted into a shell. */
  readonly command: string
}

/** The container engine through its API, wherever it runs. */
export interface Engine {
  /** As `docker version` gives it. @throws ENGINE-101, also when it does not answer for 10 s; ENGINE-102 */
  version(signal: AbortSignal): Promise<string>
  /** The machine that it runs containers on: CPUs, memory, and its architecture as the kernel calls it, such as `x86_64`. */
  machine(signal: AbortSignal): Promise<{ readonly cpus: number; readonly bytes: number; readonly architecture: string }>
  /** What it says of itself and its machine. */
  info(signal: AbortSignal): Promise<EngineInfo>
  /** What its data take on its disk. May take seconds where there is much. */
  usage(signal: AbortSignal): Promise<EngineUsage>
  image(reference: string): Promise<EngineImage | undefined>
  /** Whether a path (absolute) is in a local image. */
  imageHas(reference: string, path: string): Promise<boolean>
  tagImage(reference: string, repository: string, tag: string): Promise<void>
  removeImage(reference: string): Promise<void>
  /** References of local images that carry the label. */
  imagesWithLabel(label: string): Promise<readonly string[]>
  /** The images as one archive, as `docker save` writes it. */
  saveImages(references: readonly string[]): Promise<Readable>
  containersWithLabel(label: string): Promise<readonly EngineContainer[]>
  networkExists(name: string): Promise<boolean>
  /** Removes the network unless something is connected to it. */
  removeNetworkWhenUnused(name: string): Promise<void>
  /** Starts a container. One that runs already is fine. */
  startContainer(id: string): Promise<void>
  /** When the container's program began, in ms since the epoch. */
  startedAt(id: string): Promise<number>
  /** Name of the container that publishes a port of this machine. */
  containerOnPort(port: number): Promise<string | undefined>
  unpauseContainer(id: string): Promise<void>
  /** Runs a program in a container to its end. */
  run(
    container: string,
    argv: readonly string[],
    step: Pick<Step, 'signal'>,
    stdin?: Readable | Uint8Array,
  ): Promise<{ exitCode: number; stdout: string; stderr: string }>
  /** Starts a program in a container and keeps its streams open. */
  open(container: string, argv: readonly string[], signal: AbortSignal): Promise<EngineStream>
}

/** A container engine and the machine that it runs containers on. */
export interface EngineInfo {
  readonly version: string
  readonly cpus: number
  readonly bytes: number
  readonly architecture: string
  /** Name and kernel of its machine. */
  readonly name: string
  readonly kernel: string
  readonly system: string
  /** Version of the control groups, such as `2`. */
  readonly cgroup: string
  readonly storage: string
  /** Where it keeps its data, on its machine. */
  readonly directory: string
  /** Its clock, in ms since the epoch. */
  readonly time: number
}

/** Bytes on an engine's disk, by what they are. */
export interface EngineUsage {
  readonly images: number
  readonly volumes: number
  readonly containers: number
  readonly buildCache: number
}

export interface EngineImage {
  /** Digest of the image's configuration. */
  readonly id: string
  /** diffIDs of the layers, from the bottom. */
  readonly layers: readonly string[]
  readonly bytes: number
  /** Words of the ENTRYPOINT and CMD, as they are run. */
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
}

export interface EngineContainer {
  readonly id: string
  readonly name: string
  readonly state: string
  readonly labels: Readonly<Record<string, string>>
}

/** A program that runs in a container. `stdout` and `stderr` end when it does. */
export interface EngineStream extends AsyncDisposable {
  readonly stdin: Writable
  readonly stdout: Readable
  readonly stderr: Readable
}

/**
 * Watches roots until `signal` aborts; yields batches of absolute paths that were written, made or removed, directories too.
 * A lone save comes 5 ms after its last event, a burst after 20 ms of quiet, at the latest after 150 ms; what is missing or empty is given 40 ms and
 * what is new 15 ms, since editors remove, truncate and make files in the middle of a save. Events that the system lost are found by comparing: after
 * bursts, after a sleep, and when idle.
 */
export type WatchFiles = (roots: readonly WatchRoot[], options: WatchOptions, signal: AbortSignal) => Promise<FileWatch>

/** A directory with all below it, or a file. One that is not there is waited for. */
export interface WatchRoot {
  /** Absolute. */
  readonly path: string
  /** What one of these ignores is not watched. A path below several roots is watched when one of them wants it. */
  readonly ignore: readonly IgnoreFile[]
}

export interface WatchOptions {
  /** Names that are never watched, whatever the roots say. */
  readonly never: RegExp
  /** Told once when the machine gives no more watches (SYNC-103), and for each file system that may be silent (SYNC-115): what is not covered is polled. */
  readonly warn: (problem: DevkitError) => void
  /** After so long without a change everything is compared, and again and again, in ms; default a minute. */
  readonly idleMs?: number
}

/** A watch whose roots are all covered. */
export interface FileWatch extends AsyncDisposable {
  /** Ends when the signal aborts. */
  readonly batches: AsyncIterable<FileBatch>
  /** Watches these roots from now on; what is new below them comes as a batch. */
  update(roots: readonly WatchRoot[]): Promise<void>
  /** Compares everything now; what differs has come as a batch when it resolves. */
  reconcile(): Promise<void>
}

export interface FileBatch {
  readonly paths: readonly string[]
  /** Time of the batch's first event, ms since the epoch. */
  readonly firstEvent: number
}
