import { describe, expect, it } from 'vitest'
import { DebugSessions } from '../../../src/debug/index.js'
import { guardStorage } from '../../../src/storage/index.js'
import { faultyStorage } from '../../../src/testing/index.js'
import { settle, until } from '../engine/kit.js'
import { startDebug } from './kit.js'

const MINUTE_MS = 60_000
/** More than any of the calls makes; the loops end with the first number that is not reached. */
const MOST_CALLS = 40

/** A process that loses its storage, and cannot close browsers either, from call n on: what it leaves is all that there is. */
describe.each(['before', 'after'] as const)('a process that dies %s a call of the storage', (when) => {
  it.each([
    ['making a debug session', 'getOrCreate', false],
    ['replacing a lost browser', 'getOrCreate', true],
    ['recreating one', 'recreate', false],
  ] as const)('while %s leaves nothing that lives on, and the next call goes on', async (_, call, isLost) => {
    let survived = false
    for (let failAtCall = 1; failAtCall < MOST_CALLS && !survived; failAtCall++) {
      const host = await startDebug()
      const { engine, pool, clock, ids, memory, debug, place } = host
      if (isLost || call === 'recreate') {
        const { browserSessionId } = await host.open()
        if (isLost) await settle(pool.close({ browserSessionId }), clock)
        await clock.advance(MINUTE_MS)
      }
      const storage = faultyStorage(memory)
      await guardStorage(storage).open()
      const sessions = { create: pool.create.bind(pool), renew: pool.renew.bind(pool), close: () => Promise.reject(new Error('dead')) }
      const dying = new DebugSessions({ storage, engine, sessions: sessions as never, clock, ids, organizationId: 'acme' })
      storage.reset({ failAtCall, when, fails: 'onwards' })
      const outcome = await settle(Promise.allSettled([dying[call](place)]), clock)
      await settle(dying.stop(), clock)
      survived = storage.calls < failAtCall
      if (survived) expect(outcome).toMatchObject([{ status: 'fulfilled' }])
      const session = await settle(debug.getOrCreate(place), clock)
      await settle(debug.stop(), clock)
      await clock.advance(6 * MINUTE_MS)
      const running = () => memory.find({ table: 'browser_sessions', where: { status: { in: ['created', 'running', 'retry'] } } })
      await until(async () => (await running()).length === 1, `one browser after call ${failAtCall}`)
      expect((await running()).map(({ browserSessionId }) => browserSessionId)).toEqual([session.browserSessionId])
      expect(await memory.count('debug_sessions', { status: 'created' })).toBe(1)
      expect(await debug.getOrCreate(place)).toMatchObject(session)
    }
    expect(survived).toBe(true)
  })
})
