import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Files of the contract layer that want the machine for themselves: what they look at is held to short times. On a busy node the runtime may
 * miss why the kernel killed a container.
 */
const strict = ['sync-transport', 'restart', 'node-image'].map((name) => `test/contract/${name}.test.ts`)

/** … and those that wait for what goes wrong in dozens of pods and nodes, with room in their times. */
const diagnosis = ['test/contract/diagnosis/*.test.ts']

/** Files of the e2e layer that want the machine for themselves: they stop its engine. */
const alone = ['faults', 'main-job'].map((name) => `test/e2e/${name}.test.ts`)

/** Files that wait for minutes: others run beside them if they are the first of their project. */
const slow = /\/(?:ill-)?nodes\.test\.ts$/

class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return [...sorted.filter(({ moduleId }) => slow.test(moduleId)), ...sorted.filter(({ moduleId }) => !slow.test(moduleId))]
  }
}

/** What all projects of a layer share; a layer makes the lab, which takes long once. */
const contract = { globalSetup: ['test/contract/global-setup.ts'], testTimeout: 130_000, hookTimeout: 1_800_000 }
const e2e = { globalSetup: ['test/e2e/tools/global-setup.ts'], testTimeout: 300_000, hookTimeout: 1_800_000 }

/**
 * Three layers: unit is pure and shares one process; the others run one file at a time, since they share the machine, but for those that
 * may run beside each other. A layer is all projects whose names begin with its own.
 */
export default defineConfig({
  ssr: { resolve: { conditions: ['devkit-source'] } },
  test: {
    passWithNoTests: false,
    sequence: { sequencer: SlowFirst },
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
          include: strict,
          ...contract,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'contract-beside',
          include: ['test/contract/**/*.test.ts'],
          exclude: [...strict, ...diagnosis],
          ...contract,
          maxWorkers: 3,
          maxConcurrency: 8,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: 'contract-diagnosis',
          include: diagnosis,
          ...contract,
          // a node that is told of by hundreds of watches, and has dozens of pods that fail, is slow to tell
          maxWorkers: 2,
          maxConcurrency: 6,
          sequence: { groupOrder: 3 },
          testTimeout: 200_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e-beside',
          include: ['test/e2e/**/*.test.ts'],
          exclude: alone,
          ...e2e,
          maxWorkers: 3,
          sequence: { groupOrder: 4 },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: alone,
          ...e2e,
          fileParallelism: false,
          sequence: { groupOrder: 5 },
        },
      },
    ],
  },
})
