import { spawn } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  BROWSER_MARK,
  collectTree,
  identify,
  isProcessAlive,
  killBrowserProcesses,
  type ProcessEntry,
  parseStat,
} from '../../../src/playwright/process-tree.js'
import { systemClock } from '../../../src/runtime/index.js'

const line = (pid: number | string, name: string, state: string, parent: number, group: number, start: string) =>
  `${pid} (${name}) ${state} ${parent} ${group} 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 ${start} 1000 10 184 0 0`

describe('parseStat', () => {
  it('reads pid, parent, group, start time and zombies, whatever the name holds', () => {
    expect(parseStat(line(7, 'a) S 1 (b', 'S', 3, 5, '999'))).toEqual({
      pid: 7,
      parentPid: 3,
      groupId: 5,
      startTime: '999',
      isZombie: false,
    })
    expect(parseStat(line(7, 'x', 'Z', 3, 5, '999'))?.isZombie).toBe(true)
  })

  it('gives null for what is no stat line', () => {
    for (const text of ['', '7', '(x) S 1', '7 (x) S 1 2', line('x', 'n', 'S', 1, 1, '2')]) expect(parseStat(text)).toBeNull()
    fc.assert(fc.property(fc.string(), (text) => parseStat(text) === null || typeof parseStat(text)?.pid === 'number'))
  })

  it('reads our own process', () => {
    const me = identify(process.pid)
    expect(me.startTime).toMatch(/^\d+$/)
    expect(isProcessAlive(me)).toBe(true)
    expect(isProcessAlive({ pid: process.pid, startTime: '1' })).toBe(false)
  })
})

describe('collectTree', () => {
  const entry = (pid: number, parentPid: number, groupId = pid, isZombie = false): ProcessEntry => ({
    pid,
    parentPid,
    groupId,
    startTime: '1',
    isZombie,
  })
  const table = [
    entry(1, 0),
    entry(10, 1),
    entry(11, 10),
    entry(12, 11, 10),
    entry(13, 1, 10),
    entry(20, 1),
    entry(21, 20),
    entry(30, 10, 10, true),
  ]

  it('takes children, the group and what is marked, with their children, but no zombies and nothing else', () => {
    const pids = collectTree(table, 10, (pid) => pid === 20).map(({ pid }) => pid)
    expect([...pids].sort()).toEqual([10, 11, 12, 13, 20, 21])
    expect(collectTree(table, null, () => false)).toEqual([])
  })

  it('ends on a table with a cycle', () => {
    expect(collectTree([entry(2, 3), entry(3, 2)], 2, () => false)).toHaveLength(2)
  })
})

describe('killBrowserProcesses', () => {
  it.skipIf(process.platform !== 'linux')('kills what carries the mark, detached children too, and nothing else', async () => {
    const directory = `/tmp/runwright-mark-${process.pid}`
    const env = { PATH: process.env.PATH ?? '', [BROWSER_MARK]: directory }
    const start = (more: Record<string, string>) =>
      spawn('sh', ['-c', 'setsid sleep 60 & sleep 60'], { env: { ...env, ...more }, detached: true, stdio: 'ignore' })
    const ours = start({})
    const other = start({ [BROWSER_MARK]: `${directory}2` })
    await new Promise((resolve) => ours.once('spawn', resolve))
    const [mine, theirs] = [identify(ours.pid ?? 0), identify(other.pid ?? 0)]
    await killBrowserProcesses(null, directory, systemClock)
    expect(isProcessAlive(mine)).toBe(false)
    expect(isProcessAlive(theirs)).toBe(true)
    await killBrowserProcesses(null, `${directory}2`, systemClock)
    expect(isProcessAlive(theirs)).toBe(false)
  })
})
