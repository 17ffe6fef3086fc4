import { describe, expect, it } from 'vitest'
import type { BrowserState } from '../../../src/sessions/browser-state.js'
import { code, failure, handlers, runRow, settle, startHost } from './kit.js'

const site = { 'https://a.test/': { title: 'A' } }
const open = { type: 'goto_url' as const, label: 'open', url: 'https://a.test/' }
const driver = { site, keepsState: true }
const stateOf = (value: string): BrowserState => ({
  cookies: [{ name: 'sid', value, domain: 'a.test', path: '/', expires: -1, httpOnly: true, secure: true, sameSite: 'Lax' }],
  origins: [],
  sessionStorage: [],
  knownOrigins: [],
})
const cookieOf = (state: BrowserState | null | undefined) => state?.cookies[0]?.value ?? null

describe('a run with a profile', () => {
  it('has a private browser that is made from it, and leaves the profile as it is', async () => {
    const { run, pool, driver: browsers, clock, memory } = await startHost({ driver })
    const { browserSessionId } = await pool.create()
    Object.assign(browsers.handles[0] ?? {}, { state: stateOf('ann') })
    const { browserProfileId } = await pool.saveProfile({ browserSessionId, name: 'shop' })
    const result = await run({ blocks: [open] }, { browserProfileId, workflow: { persistBrowserSession: true } })
    expect(result.status).toBe('completed')
    expect(cookieOf(browsers.specs[1]?.state)).toBe('ann')
    expect(await runRow(memory)).toMatchObject({ browserProfileId, ownsSession: true })
    expect(await pool.listProfiles()).toMatchObject([{ browserProfileId, version: 1 }])
    await settle(pool.close({ browserSessionId }), clock)
  })

  it('must exist, here and in this organisation, before anything is written', async () => {
    const { start, memory } = await startHost({ driver })
    expect(await failure(start({ blocks: [open] }, { browserProfileId: 'bp_0' }))).toMatchObject({ code: 'PROFILE_NOT_FOUND' })
    expect(await memory.count('runs')).toBe(0)
  })

  it.each([{ browserSessionId: 'bs_1' }, { browserAddress: 'http://127.0.0.1:9222' }])('cannot have %j as well', async (other) => {
    const { start } = await startHost({ driver })
    const error = await failure(start({ blocks: [open] }, { browserProfileId: 'bp_1', ...other }))
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('exclude each other') })
  })
})

describe('a workflow that keeps its browser state', () => {
  const persistent = { workflow: { persistBrowserSession: true } }

  it('begins each run with what the last one ended with', async () => {
    const signIn = async ({ page }: { page: { goto(url: string): Promise<unknown> } }) => {
      await page.goto('https://a.test/')
      Object.assign(browsers.handles.at(-1) ?? {}, { state: stateOf('ann') })
    }
    const host = await startHost({ driver, engine: { handlers: { ...handlers, signIn } } })
    const { engine, pool, clock, driver: browsers } = host
    const definition = { blocks: [code('in', 'signIn')] }
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'Shop', persistBrowserSession: true, definition })
    const runOnce = async () => settle((await engine.startRun({ workflowPermanentId })).result(), clock)
    expect((await runOnce()).status).toBe('completed')
    expect(await pool.listProfiles()).toMatchObject([{ name: `workflow:${workflowPermanentId}`, version: 1 }])
    expect((await runOnce()).status).toBe('completed')
    expect(browsers.specs.map(({ state }) => cookieOf(state))).toEqual([null, 'ann'])
    expect(await pool.listProfiles()).toMatchObject([{ version: 2 }])
    expect(browsers.liveHandles).toBe(0)
  })

  it('does not when a session was named, or no browser was needed', async () => {
    const { run, pool } = await startHost({ driver })
    const { browserSessionId } = await pool.create()
    expect((await run({ blocks: [open] }, { ...persistent, browserSessionId })).status).toBe('completed')
    expect((await run({ blocks: [code('a')] }, persistent)).status).toBe('completed')
    expect(await pool.listProfiles()).toEqual([])
  })

  it('keeps the run’s outcome when its state cannot be saved, and says so on the session’s stream', async () => {
    const hanging = async ({ page }: { page: { goto(url: string): Promise<unknown> } }) => {
      await page.goto('https://a.test/')
      browsers.handles.at(-1)?.hang('snapshot')
    }
    const host = await startHost({ driver, engine: { handlers: { ...handlers, hanging } } })
    const { start, pool, driver: browsers, clock, memory } = host
    const handle = await start({ blocks: [code('a', 'hanging')] }, persistent)
    expect(await settle(handle.result(), clock)).toMatchObject({ status: 'completed' })
    const { browserSessionId } = await runRow(memory)
    const events = await memory.readEvents({ stream: `session:${browserSessionId}` })
    expect(events.map(({ type }) => type)).toContain('profile.failed')
    expect(await pool.listProfiles()).toEqual([])
    expect(browsers.liveHandles).toBe(0)
  })
})
