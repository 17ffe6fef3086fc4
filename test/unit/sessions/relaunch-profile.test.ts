import { describe, expect, it } from 'vitest'
import { missingCookies } from '../../../src/playwright/browser-state.js'
import type { BrowserState, StateCookie } from '../../../src/sessions/browser-state.js'
import { FakeBrowserDriver } from '../../../src/testing/fake-browser-driver.js'
import { createWorld, RUN_1, row, startPool } from './kit.js'

const cookie: StateCookie = {
  name: 'sid',
  value: 'ann',
  domain: 'shop.test',
  path: '/',
  expires: -1,
  httpOnly: true,
  secure: true,
  sameSite: 'Lax',
}
const state: BrowserState = {
  cookies: [cookie],
  origins: [{ origin: 'https://shop.test', localStorage: [{ name: 'token', value: 'ann' }] }],
  sessionStorage: [],
  knownOrigins: [],
}

async function startWithProfile() {
  const world = createWorld()
  const driver = new FakeBrowserDriver({ clock: world.clock, keepsState: true })
  const started = await startPool({ driver }, world)
  const { browserSessionId: source } = await started.pool.create()
  const handle = driver.handleOf(source)
  if (handle !== undefined) handle.state = state
  const { browserProfileId } = await started.pool.saveProfile({ browserSessionId: source, name: 'shop' })
  const { browserSessionId } = await started.pool.create({ browserProfileId, onBrowserLost: 'relaunch' })
  const relaunch = async () => {
    const before = driver.handles.length
    driver.handleOf(browserSessionId)?.crash('killed')
    while (driver.handles.length === before || (await row(world.storage, browserSessionId)).status !== 'running')
      await world.clock.advance(1)
    return driver.specs.at(-1)
  }
  return { ...started, driver, browserProfileId, browserSessionId, relaunch }
}

describe('a browser that is relaunched in a session of a profile', () => {
  it('is given what its folder lacks of the profile, each time', async () => {
    const { driver, relaunch } = await startWithProfile()
    expect(driver.specs.at(-1)).toMatchObject({ state, fillsState: false })
    expect(await relaunch()).toMatchObject({ state, fillsState: true })
    expect(await relaunch()).toMatchObject({ state, fillsState: true })
  })

  it('is not given back what was taken out between two leases', async () => {
    const { pool, browserSessionId, relaunch } = await startWithProfile()
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    await lease.release({ sanitize: { tabs: true } })
    expect(await relaunch()).toMatchObject({ state })
    const next = await pool.occupy({ browserSessionId, ...RUN_1 })
    await next.release({ sanitize: { cookies: true } })
    expect(await relaunch()).toMatchObject({ state: null })
    expect(await relaunch()).toMatchObject({ state: null })
  })

  it('goes on with its folder when the profile is gone by then', async () => {
    const { pool, browserProfileId, relaunch } = await startWithProfile()
    await pool.deleteProfile({ browserProfileId, force: true })
    expect(await relaunch()).toMatchObject({ state: null })
  })

  it('keeps the cookies that it has', () => {
    const other = { ...cookie, partitionKey: 'https://top.test' }
    expect(missingCookies([cookie, other], [])).toEqual([cookie, other])
    expect(missingCookies([cookie, other], [{ ...cookie, value: 'bob', expires: 1_900_000_000 }])).toEqual([other])
    expect(missingCookies([cookie], [{ ...cookie, path: '/x' }])).toEqual([cookie])
  })
})
