import { createRequire, registerHooks } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { DevkitError, messageOf } from '../lib/errors.ts'

/** A config that is a program, run. */
export interface ConfigProgram {
  /** Its default export. */
  readonly value: unknown
  /** That it took more than Node's own loader, where it did. */
  readonly warnings: readonly DevkitError[]
}

let loads = 0

/**
 * Imports a config by Node's own type stripping, anew with all that it imports; by jiti where it needs more than that.
 * `devkit` inside it is this program, whatever is or is not in node_modules.
 * `onFile` is told of the file and of each that it imports, also when the import fails.
 * @throws CONFIG-102 without a default export, and whatever the file itself throws
 */
export async function importConfig(file: string, onFile: (file: string) => void): Promise<ConfigProgram> {
  const own = new URL(import.meta.url.endsWith('.ts') ? '../index.ts' : './index.js', import.meta.url).href
  try {
    return { value: defaultOf(await importNatively(file, own, onFile), file), warnings: [] }
  } catch (cause) {
    const advice = adviceFor(cause)
    if (advice === undefined) throw cause
    const module = await importByJiti(file, own, onFile).catch((thrown: unknown) => {
      // what is nowhere is told by Node, which knows where it is asked for
      throw isMissing(thrown) ? cause : thrown
    })
    const slower = new DevkitError('CONFIG-106', {
      message: `${file} takes more than Node's own loader: ${messageOf(cause).split('\n')[0]?.replace(/\.$/, '')}. It is loaded by jiti, which is some 150 ms slower.`,
      hint: advice,
    })
    return { value: defaultOf(module, file), warnings: [slower] }
  }
}

async function importNatively(file: string, own: string, onFile: (file: string) => void): Promise<unknown> {
  // a query makes a module a new one: that of this load, for the file and all below it
  const query = `?load=${loads++}`
  const loaded = new Set<string>()
  const isOurs = (url: string): boolean => url.startsWith('file:') && !url.includes('/node_modules/')
  const hooks = registerHooks({
    resolve: (specifier, context, next) => {
      const fromConfig = specifier.endsWith(query) || loaded.has(plain(context.parentURL ?? ''))
      if (!fromConfig) return next(specifier, context)
      if (specifier === 'devkit') return { url: own, shortCircuit: true }
      // what is not there yet may come: then the config is another one
      if (/^\.{1,2}\//.test(specifier)) onFile(fileURLToPath(plain(new URL(specifier, context.parentURL).href)))
      const found = next(specifier, context)
      if (!isOurs(found.url)) return found
      loaded.add(plain(found.url))
      onFile(fileURLToPath(found.url))
      return { ...found, url: found.url.includes('?') ? found.url : found.url + query }
    },
    // a package of type commonjs, as `npm init` makes it, must not decide how a devkit.config.ts is read
    load: (url, context, next) =>
      next(url, /\.ts(\?|$)/.test(url) && isOurs(url) ? { ...context, format: 'module-typescript' } : context),
  })
  try {
    return await import(pathToFileURL(file).href + query)
  } finally {
    hooks.deregister()
    forget([...loaded].map((url) => fileURLToPath(url)))
  }
}

async function importByJiti(file: string, own: string, onFile: (file: string) => void): Promise<unknown> {
  const { createJiti } = await import('jiti')
  const jiti = createJiti(file, { alias: { devkit: fileURLToPath(own) }, fsCache: false })
  const before = new Set(Object.keys(jiti.cache))
  try {
    return await jiti.import(file)
  } finally {
    const files = Object.keys(jiti.cache).filter((path) => !before.has(path) && !path.includes('/node_modules/'))
    for (const path of files) onFile(path)
    forget(files)
  }
}

/** CommonJS modules are kept by their path, whatever the query: the next load reads them anew. */
function forget(files: readonly string[]): void {
  const { cache } = createRequire(import.meta.url)
  for (const file of files) delete cache[file]
}

function plain(url: string): string {
  return url.replace(/\?.*/, '')
}

function defaultOf(module: unknown, file: string): unknown {
  const value = (module as { readonly default?: unknown }).default
  if (value !== undefined) return value
  throw new DevkitError('CONFIG-102', {
    message: `${file}:1:1: there is no default export.`,
    hint: 'Write `export default defineConfig({ … })`.',
  })
}

/** How a file does without jiti; undefined for what jiti cannot help with either. */
function adviceFor(cause: unknown): string | undefined {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') return 'Use TypeScript that can be erased: no enum, no namespace with values.'
  if (isMissing(cause) || code === 'ERR_UNSUPPORTED_DIR_IMPORT') return 'Write imports with the extension of the file.'
  if (cause instanceof SyntaxError && /does not provide an export named/.test(cause.message))
    return 'Import types by `import type`.'
  return undefined
}

function isMissing(thrown: unknown): boolean {
  const code = (thrown as NodeJS.ErrnoException | undefined)?.code
  return code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND'
}
