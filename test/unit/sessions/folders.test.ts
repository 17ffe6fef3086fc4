import { mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createSessionDirectory, findSessionFolders } from '../../../src/sessions/session-directory.js'
import { createWorld, startPool, type World } from './kit.js'

const ids = { machineId: 'm_1', hostId: 'host_1', browserSessionId: 'bs_1' }

/** A folder below that of the pools, in which nothing has changed for so long. */
function folder(world: World, name: string, ageMs: number, files: readonly string[] = []): string {
  const path = join(world.baseDirectory, name)
  mkdirSync(path)
  for (const file of files) {
    mkdirSync(join(path, file, '..'), { recursive: true })
    writeFileSync(join(path, file), 'x')
  }
  const changedAt = new Date(world.clock.now().getTime() - ageMs)
  utimesSync(path, changedAt, changedAt)
  return path
}

describe('the folder of a session', () => {
  it('tells whose it is as long as anything is in it, so that a removal that is broken off is gone on with', async () => {
    const world = createWorld()
    const directory = await createSessionDirectory({ ...world, ...ids })
    for (let index = 0; index < 500; index += 1) {
      mkdirSync(join(directory.profile, `${index}`))
      writeFileSync(join(directory.profile, `${index}`, 'Cookies'), 'x')
    }
    let isDone = false
    const removing = directory.remove().finally(() => {
      isDone = true
    })
    let looks = 0
    while (!isDone) {
      const [name = ''] = world.directories()
      const names = name === '' ? [] : namesIn(directory.path)
      if (names.length > 0) expect(names).toContain('owner.json')
      looks += 1
      await new Promise(setImmediate)
    }
    await removing
    expect(looks).toBeGreaterThan(3)
    expect(world.directories()).toEqual([])
    await directory.remove() // harmless
  })

  it('that nobody owns any more, or yet, is removed by the next start, and named', async () => {
    const world = createWorld()
    const old = [
      folder(world, 'runwright-session-aaaaaa', 31_000, ['owner.json.new']),
      folder(world, 'runwright-session-bbbbbb', 31_000, ['profile/Default/Cookies', 'tmp/x']),
      folder(world, 'runwright-session-cccccc', 31_000),
    ]
    const kept = [
      folder(world, 'runwright-session-dddddd', 29_000, ['owner.json.new']), // being made
      folder(world, 'runwright-session-eeeeee', 31_000, ['owner.json']), // of a newer version, perhaps
      folder(world, 'runwright-session-notours', 31_000),
      folder(world, 'something-else', 31_000),
    ]
    const { pool } = await startPool({}, world)
    expect(pool.reconciliation?.removedDirectories.toSorted()).toEqual(old)
    expect(pool.reconciliation?.failures).toEqual([])
    expect(world.directories().map((name) => join(world.baseDirectory, name))).toEqual(kept)
  })

  it('in which a browser runs stays, also if it tells of no owner', async () => {
    const world = createWorld()
    const first = await startPool({}, world)
    await first.pool.create()
    const path = first.driver.specs[0]?.directory ?? ''
    rmSync(join(path, 'owner.json'))
    utimesSync(path, new Date(0), new Date(0))
    const second = await startPool({ driver: first.driver }, world)
    expect(second.pool.reconciliation).toMatchObject({ removedDirectories: [], failures: [] })
    expect(namesIn(path)).toContain('profile')
    expect(await findSessionFolders(world.baseDirectory)).toEqual([])
  })
})

function namesIn(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return [] // it is gone
  }
}
