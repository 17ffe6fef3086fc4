import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PgliteLock } from '../../../src/postgres/pglite-lock.js'

let folder: string
let directory: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runwright-lock-'))
  directory = join(folder, 'below', 'data')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** What a lock of this process says, with some of it changed. */
async function leaveLock(change: (mine: { process: object; space: object }) => unknown): Promise<string> {
  const lock = new PgliteLock(directory)
  await lock.acquire()
  const mine = JSON.parse(await readFile(lock.path, 'utf8')) as { process: object; space: object }
  await lock.release()
  await writeFile(lock.path, JSON.stringify(change(mine)))
  return lock.path
}

const takesOver = async () => {
  const lock = new PgliteLock(directory)
  await lock.acquire()
  await lock.release()
}

describe('the lock beside a PGlite directory', () => {
  it('is beside it, and leaves nothing when it is released', async () => {
    const lock = new PgliteLock(directory)
    await lock.acquire()
    expect(await readdir(join(folder, 'below'))).toEqual(['data.runwright.lock'])
    await lock.release()
    await lock.release()
    expect(await readdir(join(folder, 'below'))).toEqual([])
  })

  it('refuses a second storage of the same process, and names it', async () => {
    const lock = new PgliteLock(directory)
    await lock.acquire()
    await expect(new PgliteLock(directory).acquire()).rejects.toMatchObject({ code: 'STORAGE_LOCKED', details: { pid: process.pid } })
    expect(existsSync(lock.path)).toBe(true)
    await lock.release()
    await takesOver()
  })

  it('is held once by all storages over one instance, until the last of them closes', async () => {
    const instance = {}
    const [one, two] = [PgliteLock.of(instance, directory), PgliteLock.of(instance, directory)]
    await Promise.all([one.acquire(), two.acquire()])
    await one.release()
    await expect(new PgliteLock(directory).acquire()).rejects.toMatchObject({ code: 'STORAGE_LOCKED' })
    await two.release()
    await takesOver()
  })

  it('of ten that want it at the same time, one gets it, also where a stale one is there', async () => {
    for (const isStale of [false, true]) {
      if (isStale) await leaveLock((mine) => ({ ...mine, process: { pid: 2 ** 22 + 1, startTime: '1' } }))
      const locks = Array.from({ length: 10 }, () => new PgliteLock(directory))
      const outcomes = await Promise.allSettled(locks.map((lock) => lock.acquire()))
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      await Promise.all(locks.map((lock) => lock.release()))
    }
    expect(await readdir(join(folder, 'below'))).toEqual([])
  })

  it('is taken over from a process that is gone, from a recycled pid, from an earlier boot, and where it is no lock at all', async () => {
    await leaveLock((mine) => ({ ...mine, process: { pid: 2 ** 22 + 1, startTime: null } }))
    await takesOver()
    await leaveLock((mine) => ({ ...mine, process: { pid: process.pid, startTime: '1' } }))
    await takesOver()
    await leaveLock((mine) => ({ ...mine, space: { ...mine.space, bootId: 'an earlier one' } }))
    await takesOver()
    await leaveLock(() => 'nonsense')
    await takesOver()
  })

  it('of another machine is respected while it shows signs of life, and taken over after a minute without', async () => {
    const path = await leaveLock((mine) => ({ ...mine, space: { ...mine.space, machine: 'elsewhere' } }))
    await expect(new PgliteLock(directory).acquire()).rejects.toMatchObject({ code: 'STORAGE_LOCKED', details: { machine: 'elsewhere' } })
    const past = new Date(Date.now() - 120_000)
    await utimes(path, past, past)
    await takesOver()
  })
})
