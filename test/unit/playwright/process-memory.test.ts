import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, it } from 'vitest'
import { parseResident, readTreeMemory, sumOfTree } from '../../../src/playwright/process-memory.js'
import { identify } from '../../../src/playwright/process-tree.js'

const MB = 2 ** 20

it('the memory of a process is read from its status', () => {
  const status = 'Name:\tchromium\nVmRSS:\t    1500 kB\nRssAnon:\t     700 kB\nRssFile:\t     600 kB\nRssShmem:\t     200 kB\n'
  expect(parseResident(status)).toEqual({ anonymous: 700 * 1_024, shared: 200 * 1_024, files: 600 * 1_024 })
  expect(parseResident('Name:\tkthreadd\n')).toEqual({ anonymous: 0, shared: 0, files: 0 })
})

it('files that several processes map count once', () => {
  const one = { anonymous: 10, shared: 1, files: 100 }
  expect(sumOfTree([one, { ...one, files: 120 }, one])).toBe(33 + 120)
  expect(sumOfTree([])).toBe(0)
})

it.skipIf(process.platform !== 'linux')('a tree is measured with its children, and one that is gone is not', async () => {
  const program = 'const held = Buffer.alloc(64 * 2 ** 20, 1); process.stdout.write("up"); setInterval(() => held, 1_000)'
  const parent = spawn(
    process.execPath,
    ['-e', `require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(program)}], { stdio: "inherit" })`],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true, // a group of its own, to be ended as one
    },
  )
  const exited = once(parent, 'exit')
  await once(parent.stdout, 'data')
  const identity = identify(parent.pid ?? 0)
  const bytes = readTreeMemory(identity) ?? 0
  process.kill(-(parent.pid ?? 0), 'SIGKILL')
  await exited
  expect(bytes).toBeGreaterThan(64 * MB)
  expect(bytes).toBeLessThan(1_024 * MB)
  expect(readTreeMemory(identity)).toBeNull()
  expect(readTreeMemory({ pid: process.pid, startTime: null })).toBeNull()
})
