import { defineConfig } from 'vitest/config'

/** Three layers: unit is pure and shares one process; the others run one file at a time, since they share the machine. */
export default defineConfig({
  ssr: { resolve: { conditions: ['devkit-source'] } },
  test: {
    passWithNoTests: false,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/*.test.ts', 'test/unit/**/*.test.ts'],
          isolate: false,
          maxWorkers: 2,
          // a loaded machine is slow, not wrong
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          globalSetup: ['test/contract/global-setup.ts'],
          fileParallelism: false,
          testTimeout: 130_000,
          hookTimeout: 1_800_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/e2e/tools/global-setup.ts'],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 1_800_000,
        },
      },
    ],
  },
})
