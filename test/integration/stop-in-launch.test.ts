import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { MemoryStorage, SessionPool } from '../../src/index.js'
import { PlaywrightDriver } from '../../src/playwright/index.js'
import { descendants } from '../support/leftovers.js'
import { describeUnless, missing } from '../support/skips.js'

describeUnless(missing('chromium'), 'a pool that is stopped while a browser comes up', () => {
  it.each([50, 200, 350, 500, 700, 900])('leaves nothing, and does not take long: after %i ms', async (afterMs) => {
    const baseDirectory = await mkdtemp(join(tmpdir(), 'stop-in-launch-'))
    const pool = new SessionPool({ storage: new MemoryStorage(), driver: new PlaywrightDriver(), organizationId: 'acme', baseDirectory })
    await pool.start()
    const launch = pool.create().catch((error: unknown) => error)
    await delay(afterMs)
    const startedMs = performance.now()
    await pool.stop()
    const tookMs = performance.now() - startedMs
    await launch
    expect(await readdir(baseDirectory)).toEqual([])
    expect((await descendants(process.pid)).filter(({ command }) => command.includes(baseDirectory))).toEqual([])
    expect(tookMs).toBeLessThan(4_000)
    await rm(baseDirectory, { recursive: true, force: true })
  })
})
