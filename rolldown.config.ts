import { defineConfig } from 'rolldown'

/** What is used of undici, by client-node too, as its index makes it: the calls are laid over the dispatchers there. `fetch` is for clients of client-node, which nothing here makes. */
const agentOfUndici = `
import api from 'undici/lib/api/index.js'
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js'
Object.assign(Dispatcher.prototype, api)
export { default as Agent } from 'undici/lib/dispatcher/agent.js'
export { default as ProxyAgent } from 'undici/lib/dispatcher/proxy-agent.js'
export { default as buildConnector } from 'undici/lib/core/connect.js'
export const { fetch } = globalThis
`

/**
 * The published program: entries and shared chunks side by side, so that files that load others by their URL find them.
 * What is imported lazily stays a chunk of its own: `devkit --help` reads none of it.
 */
export default defineConfig({
  input: { bin: 'src/cli/bin.ts', index: 'src/index.ts', 'watch-worker': 'src/host/watch-worker.ts' },
  platform: 'node',
  // jiti loads files by its own directory; the others have native parts that are optional
  external: [/^node:/, 'jiti', 'bufferutil', 'utf-8-validate', 'supports-color'],
  treeshake: { moduleSideEffects: (id) => !id.includes('client-node/') },
  plugins: [
    {
      // dockerode's ways by ssh and of its own builds, which nothing here goes, are most of what it loads
      name: 'unused-of-dockerode',
      resolveId: (id) => (/^(?:ssh2|@grpc\/.+|protobufjs)$/.test(id) ? '\0unused' : undefined),
      load: (id) => (id === '\0unused' ? 'export {}' : undefined),
    },
    {
      // undici's fetch, websockets, caches and mocks, which nothing here uses, are most of what it loads
      name: 'agent-of-undici',
      resolveId: (id) => (id === 'undici' ? '\0undici' : undefined),
      load: (id) => (id === '\0undici' ? agentOfUndici : undefined),
    },
    {
      // one character beyond Latin-1 doubles what the engine keeps of a file's text for as long as it runs
      name: 'one-byte-text',
      renderChunk: (code) => code.replace(/[\u0100-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`),
    },
  ],
  output: { dir: 'dist', format: 'esm', entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js', cleanDir: true },
})
