import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { TallyReporter } from './test/support/tally-reporter.js'

const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^runwright$/, replacement: source('index.ts') },
      { find: /^runwright\/(\w+)$/, replacement: source('$1/index.ts') },
    ],
  },
  test: {
    reporters: ['default', new TallyReporter()],
    maxWorkers: Math.max(2, availableParallelism() - 1), // tests of real servers mostly wait
    projects: [
      { extends: true, test: { name: 'unit', testTimeout: 30_000, include: ['test/unit/**/*.test.ts', 'test/architecture*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          exclude: ['test/integration/postgres-*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false, // browsers and displays: one file at a time
        },
      },
      {
        extends: true,
        // attacks, faults and drills on real browsers: too slow for every run of the tests
        test: {
          name: 'long',
          include: ['test/long/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        // each file has a server of its own, which mostly waits for itself
        test: { name: 'postgres', include: ['test/integration/postgres-*.test.ts'], testTimeout: 60_000, hookTimeout: 60_000 },
      },
      {
        extends: true,
        test: { name: 'package', include: ['test/package.test.ts'], testTimeout: 60_000, hookTimeout: 300_000, fileParallelism: false },
      },
    ],
  },
})
