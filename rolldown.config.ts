import { defineConfig } from 'rolldown'

/**
 * The published program: entries and shared chunks side by side, so that files that load others by their URL find them.
 * What is imported lazily stays a chunk of its own: `devkit --help` reads none of it.
 */
export default defineConfig({
  input: { bin: 'src/cli/bin.ts', index: 'src/index.ts', 'watch-worker': 'src/host/watch-worker.ts' },
  platform: 'node',
  // dockerode and jiti load files by their own directory; the others have native parts that are optional
  external: [/^node:/, 'dockerode', 'jiti', 'bufferutil', 'utf-8-validate', 'supports-color', 'cpu-features'],
  treeshake: { moduleSideEffects: (id) => !id.includes('client-node/') },
  plugins: [
    {
      // one character beyond Latin-1 doubles what the engine keeps of a file's text for as long as it runs
      name: 'one-byte-text',
      renderChunk: (code) => code.replace(/[\u0100-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`),
    },
  ],
  output: { dir: 'dist', format: 'esm', entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js', cleanDir: true },
})
