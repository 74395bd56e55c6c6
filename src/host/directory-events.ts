import { FSWatcher } from 'chokidar'

/**
 * Single directories watched by chokidar's backend: what it knows of each platform's events, of directories that are replaced and of handles that
 * die, without its tree, which costs ten times the memory of our own table.
 *
 * Three methods that chokidar calls itself are taken over here, and one of its engine is called: an upgrade that drops them does not compile.
 */
export class DirectoryEvents extends FSWatcher {
  readonly #stirred: (directory: string, name: string | null) => void
  #failure: unknown

  /** `stirred` hears the name that something happened to, null where the system does not say which. */
  constructor(stirred: (directory: string, name: string | null) => void) {
    super({ ignoreInitial: true, followSymlinks: false, atomic: false, depth: 0 })
    this.#stirred = stirred
  }

  /** Watches one directory, from now on. @throws what the system says: ENOSPC and EMFILE at its limits */
  open(directory: string): Disposable {
    this.#failure = undefined
    const close = this.handler.subscribePath(directory, () => undefined)
    if (!close) throw this.#failure
    return { [Symbol.dispose]: () => void close() }
  }

  override emitRaw(...[, name, details]: Parameters<FSWatcher['emitRaw']>): void {
    this.#stirred((details as { readonly watchedPath: string }).watchedPath, name)
  }

  /** A watch that ends by itself has lost its directory, which its parent sees. */
  override handleError(error: unknown): void {
    this.#failure = error
  }

  /** Nothing is left to chokidar's own reading of directories. */
  override isUnwatched(): boolean {
    return true
  }
}
