import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { StreamingSupervisor } from '../../../src/streaming/index.js'
import { Harness, insertSession, until } from './fixtures.js'

describe('StreamingSupervisor', () => {
  let harness: Harness
  beforeEach(async () => {
    harness = await new Harness().start()
  })
  afterEach(() => harness.stop())
  const display = { browserSessionId: 'bs_1' }

  it('writes the display on the session’s row together with its event', async () => {
    const started = await harness.streaming.startDisplay(display)
    expect(await harness.row()).toMatchObject({ displayBackend: 'xvnc', displayNumber: 1, displayDir: started.directory })
    expect(harness.events).toMatchObject([
      { type: 'display.started', seq: 1, organizationId: 'acme', payload: { backend: 'xvnc', displayNumber: 1 } },
    ])
    expect(harness.streaming.list()).toMatchObject([{ browserSessionId: 'bs_1', displayNumber: 1, pids: [4242], viewers: [] }])
    await harness.streaming.stopDisplay(display)
    expect(await harness.row()).toMatchObject({ displayBackend: null, displayNumber: null, displayDir: null })
    expect(await harness.storedEventTypes()).toEqual(['display.started', 'display.stopped'])
    expect(harness.streaming.list()).toEqual([])
  })

  it('gives concurrent and later calls one display', async () => {
    const [one, two] = await Promise.all([harness.streaming.startDisplay(display), harness.streaming.startDisplay(display)])
    expect(two).toBe(one)
    expect(await harness.streaming.startDisplay(display)).toBe(one)
    expect(harness.backend.starts).toBe(1)
  })

  it('does not start one for a session that it does not find, or that has ended', async () => {
    await expect(harness.streaming.startDisplay({ browserSessionId: 'bs_2' })).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
    await expect(harness.streaming.startDisplay({ ...display, organizationId: 'other' })).rejects.toMatchObject({
      code: 'SESSION_NOT_FOUND',
    })
    await insertSession(harness.storage, 'bs_3', { status: 'completed' })
    await expect(harness.streaming.startDisplay({ browserSessionId: 'bs_3' })).rejects.toMatchObject({ code: 'SESSION_ENDED' })
    expect(harness.backend.starts).toBe(0)
  })

  it('takes the display back when the session ends while it is started', async () => {
    let open = () => {}
    harness.backend.gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const starting = harness.streaming.startDisplay(display)
    await until(() => harness.backend.starts === 1)
    await harness.storage.commit([{ op: 'update', table: 'browser_sessions', id: 'bs_1', set: { status: 'failed' } }])
    open()
    await expect(starting).rejects.toMatchObject({ code: 'SESSION_ENDED' })
    expect(harness.backend.displays.map(({ isStopped }) => isStopped)).toEqual([true])
    expect(harness.events).toEqual([])
  })

  it('starts one for a session that is yet to be, on no row, and makes it over when the row is there', async () => {
    const spare = { browserSessionId: 'bs_9', isSpare: true }
    const started = await harness.streaming.startDisplay(spare)
    expect([harness.events, harness.streaming.list(), harness.streaming.health().displays]).toEqual([[], [], 1])
    await insertSession(harness.storage, 'bs_9', { status: 'running' })
    await harness.streaming.claimDisplay({ browserSessionId: 'bs_9' })
    expect(await harness.storage.get('browser_sessions', 'bs_9')).toMatchObject({ displayBackend: 'xvnc', displayDir: started.directory })
    expect(harness.events).toMatchObject([{ type: 'display.started', organizationId: 'acme', payload: { browserSessionId: 'bs_9' } }])
    expect(harness.streaming.list()).toMatchObject([{ browserSessionId: 'bs_9', organizationId: 'acme' }])
    await harness.streaming.claimDisplay({ browserSessionId: 'bs_9', organizationId: 'other' })
    expect([harness.events.length, harness.streaming.list()[0]?.organizationId]).toEqual([1, 'acme'])
    await harness.streaming.stopDisplay({ browserSessionId: 'bs_9' })
    expect(await harness.storage.get('browser_sessions', 'bs_9')).toMatchObject({ displayBackend: null, displayDir: null })
  })

  it('ends one that nobody came for, or that died, without a word on any row', async () => {
    await harness.streaming.startDisplay({ browserSessionId: 'bs_8', isSpare: true })
    await harness.streaming.startDisplay({ browserSessionId: 'bs_9', isSpare: true })
    harness.backend.displays[0]?.die('Xvnc exited with code 0')
    await harness.streaming.stopDisplay({ browserSessionId: 'bs_9' })
    await until(() => harness.backend.displays.every(({ isStopped }) => isStopped))
    expect([harness.events, harness.streaming.health().displays]).toEqual([[], 0])
  })

  it('undoes a start when the last caller has left', async () => {
    let open = () => {}
    harness.backend.gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const [first, second] = [new AbortController(), new AbortController()]
    const calls = [first, second].map(({ signal }) => harness.streaming.startDisplay({ ...display, signal }))
    await until(() => harness.backend.starts === 1)
    first.abort(new Error('first'))
    await expect(calls[0]).rejects.toThrow('first')
    second.abort(new Error('second'))
    await expect(calls[1]).rejects.toThrow('second')
    open()
    await harness.streaming.stopDisplay(display)
    expect(harness.streaming.list()).toEqual([])
    expect(harness.backend.displays.every(({ isStopped }) => isStopped)).toBe(true)
  })

  it('tells that a display died, on the row and by an event, and starts another', async () => {
    await harness.streaming.startDisplay(display)
    harness.backend.displays[0]?.die('Xvnc exited with code 0')
    await until(() => harness.events.length === 2)
    expect(harness.events.map(({ type }) => type)).toEqual(['display.started', 'display.lost'])
    expect(harness.events[1]?.payload).toEqual({ browserSessionId: 'bs_1', reason: 'Xvnc exited with code 0' })
    expect(await harness.row()).toMatchObject({
      displayBackend: null,
      displayUnavailableReason: expect.stringContaining('exited with code 0'),
    })
    expect(harness.backend.displays[0]?.isStopped).toBe(true)
    await harness.streaming.startDisplay(display)
    expect(await harness.row()).toMatchObject({ displayNumber: 2, displayUnavailableReason: null })
  })

  it('says which program is missing, and looks again when it is asked again', async () => {
    const missing = {
      available: false,
      program: 'Xtigervnc',
      reason: 'Xtigervnc was not found',
      installCommand: 'apt-get install it',
    } as const
    harness.backend.result = missing
    await expect(harness.streaming.stop()).resolves.toBeUndefined()
    await harness.streaming.start()
    expect(harness.streaming.health()).toEqual({ state: 'running', backends: [{ kind: 'xvnc', ...missing }], displays: 0, viewers: 0 })
    await expect(harness.streaming.startDisplay(display)).rejects.toMatchObject({
      code: 'DISPLAY_PROGRAM_MISSING',
      details: { program: 'Xtigervnc' },
    })
    harness.backend.result = { available: true, program: '/usr/bin/Xtigervnc' }
    await harness.streaming.startDisplay(display)
  })

  it('issues no token for a session without a display, and says why', async () => {
    const issue = (browserSessionId: string, organizationId = 'acme') =>
      harness.streaming.issueToken({ browserSessionId, organizationId, scope: 'view' })
    await insertSession(harness.storage, 'bs_2', { displayUnavailableReason: 'Xtigervnc was not found' })
    await insertSession(harness.storage, 'bs_3', { status: 'timeout', displayBackend: 'xvnc' })
    await expect(issue('bs_2')).rejects.toMatchObject({
      code: 'STREAM_UNAVAILABLE',
      message: expect.stringContaining('Xtigervnc was not found'),
    })
    await expect(issue('bs_1')).rejects.toMatchObject({ code: 'STREAM_UNAVAILABLE' })
    await expect(issue('bs_3')).rejects.toMatchObject({ code: 'SESSION_ENDED' })
    await expect(issue('bs_1', 'other')).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
  })

  it('issues tokens of 32 bytes that expire by the storage’s clock', async () => {
    await harness.streaming.startDisplay(display)
    const before = await harness.storage.now()
    const { token, expiresAt, viewTokenId } = await harness.streaming.issueToken({ ...display, scope: 'control', userId: 'ann' })
    expect(Buffer.from(token, 'base64url')).toHaveLength(32)
    expect(expiresAt.getTime() - before.getTime()).toBeGreaterThanOrEqual(120_000)
    expect(await harness.storage.get('view_tokens', viewTokenId)).toMatchObject({
      scope: 'control',
      userId: 'ann',
      clipboard: false,
      origin: null,
    })
  })

  it('takes pictures through the view that the pool registered, of its own organization', async () => {
    const screenshot = vi.fn(() => Promise.resolve(Buffer.from('picture')))
    const unregister = harness.streaming.registerView('bs_1', { pages: () => Promise.resolve([]), screenshot })
    const picture = await harness.streaming.screenshot({ ...display, format: 'jpeg' })
    expect(picture).toMatchObject({ data: Buffer.from('picture'), contentType: 'image/jpeg', takenAt: expect.any(Date) })
    expect(screenshot).toHaveBeenCalledWith({ format: 'jpeg', quality: 80 })
    await expect(harness.streaming.screenshot({ ...display, organizationId: 'other' })).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
    unregister()
    await expect(harness.streaming.screenshot(display)).rejects.toMatchObject({ code: 'STREAM_UNAVAILABLE' })
  })

  it('ends every display when it stops, and starts none until it is started again', async () => {
    await harness.streaming.startDisplay(display)
    await harness.streaming.stop()
    expect(harness.backend.displays[0]?.isStopped).toBe(true)
    await expect(harness.streaming.startDisplay(display)).rejects.toMatchObject({ code: 'NOT_RUNNING' })
    await harness.streaming.start()
    await harness.streaming.startDisplay(display)
  })

  it('speaks for one organization where it is asked to', async () => {
    const streaming = new StreamingSupervisor({ storage: harness.storage, backends: [harness.backend] })
    await streaming.start()
    await expect(streaming.startDisplay(display)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', details: { path: 'organizationId' } })
    await streaming.forOrganization('acme').startDisplay(display)
    expect(streaming.forOrganization('other').list()).toEqual([])
    expect(streaming.forOrganization('acme').list()).toHaveLength(1)
    await streaming.stop()
  })

  it.each([
    [{ viewport: { width: 0, height: 600 } }, 'viewport.width'],
    [{ frameRate: 61 }, 'frameRate'],
    [{ frameRates: 30 }, 'frameRates'],
  ])('refuses %j, naming what does not fit', async (wrong, path) => {
    await expect(harness.streaming.startDisplay({ ...display, ...wrong })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { path },
    })
  })

  it.each([
    [{ basePath: 'runwright/' }, 'basePath'],
    [{ maxViewersPerSession: 0 }, 'maxViewersPerSession'],
    [{ allowedOrigins: ['app.example.com'] }, 'allowedOrigins.0'],
    [{ storage: {} }, 'storage'],
    [{ nonsense: 1 }, 'nonsense'],
  ])('is not made with %j', (wrong, path) => {
    expect(() => new StreamingSupervisor({ storage: harness.storage, ...wrong } as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', details: expect.objectContaining({ path }) }),
    )
  })
})
