import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../src/testing/fake-clock.js'
import { Harness, insertSession, until } from './fixtures.js'
import * as rfb from './rfb-messages.js'

const ticket = (letter: string) => letter.repeat(43)
const offer = (secrets: { token?: string; ticket?: string }) => [
  'runwright.view',
  'runwright.control',
  'binary',
  ...(secrets.token ? [`runwright.token.${secrets.token}`] : []),
  ...(secrets.ticket ? [`runwright.ticket.${secrets.ticket}`] : []),
]

describe('the gateway', () => {
  let harness: Harness
  beforeEach(async () => {
    harness = await new Harness({ maxViewersPerSession: 2, allowedOrigins: ['https://app.example.com'] }).start()
    await harness.streaming.startDisplay({ browserSessionId: 'bs_1' })
  })
  afterEach(() => harness.stop())
  const issue = (options: { scope?: 'view' | 'control'; origin?: string } = {}) =>
    harness.streaming.issueToken({ browserSessionId: 'bs_1', scope: 'view', ...options })

  it('carries the picture both ways', async () => {
    const { token } = await issue()
    const client = await harness.connect({ token }).handshake()
    client.socket.send(rfb.updateRequest)
    await until(() => harness.rfb.received.length >= 24)
    expect(harness.rfb.received).toEqual(Buffer.concat([rfb.handshake, rfb.updateRequest]))
    for (const socket of harness.rfb.sockets) socket.write(Buffer.alloc(100_000, 9))
    expect((await client.bytes(42 + 100_000)).subarray(-100_000)).toEqual(Buffer.alloc(100_000, 9))
  })

  it('lets no input of a view token reach the display, joined or byte by byte', async () => {
    const { token } = await issue()
    const client = await harness.connect({ token }).handshake()
    const inputs = Buffer.concat([rfb.keyEvent, rfb.pointerEvent, rfb.qemuKeyEvent, rfb.cutText('hello'), rfb.setDesktopSize])
    client.socket.send(inputs)
    for (const byte of inputs) client.socket.send(Buffer.of(byte))
    client.socket.send(rfb.updateRequest)
    await until(() => harness.rfb.received.length >= 24)
    expect(harness.rfb.received).toEqual(Buffer.concat([rfb.handshake, rfb.updateRequest]))
  })

  it('lets the input of a control token through', async () => {
    const { token } = await issue({ scope: 'control' })
    const client = await harness.connect({ token }).handshake()
    client.socket.send(rfb.pointerEvent)
    await until(() => harness.rfb.received.length >= 20)
    expect(harness.rfb.received.subarray(14)).toEqual(rfb.pointerEvent)
  })

  it('opens with a token once, and closes the second with 4401', async () => {
    const { token } = await issue()
    const [one, two] = [harness.connect({ token }), harness.connect({ token })]
    const first = await Promise.race([one.closed, two.closed])
    expect(first.code).toBe(4401)
    await until(() => harness.rfb.sockets.size === 1)
  })

  it('comes back with its ticket, which replaces the older view, and not with its token', async () => {
    const { token } = await issue()
    const first = await harness.connect({ protocols: offer({ token, ticket: ticket('a') }) }).handshake()
    const second = await harness.connect({ protocols: offer({ ticket: ticket('a') }) }).handshake()
    expect((await first.closed).code).toBe(4408)
    const third = await harness.connect({ protocols: offer({ token, ticket: ticket('a') }) }).handshake() // a used token does not hurt
    expect((await second.closed).code).toBe(4408)
    expect((await harness.connect({ protocols: offer({ token, ticket: ticket('b') }) }).closed).code).toBe(4401)
    third.socket.close()
  })

  it('keeps a ticket for a minute after its socket has closed', async () => {
    const { token, viewTokenId } = await issue()
    const first = await harness.connect({ protocols: offer({ token, ticket: ticket('a') }) }).handshake()
    expect((await harness.storage.get('view_tokens', `${viewTokenId}.ticket`))?.expiresAt).toBeNull()
    first.socket.close()
    await until(async () => (await harness.storage.get('view_tokens', `${viewTokenId}.ticket`))?.expiresAt !== null)
    const row = await harness.storage.get('view_tokens', `${viewTokenId}.ticket`)
    const leftMs = (row?.expiresAt?.getTime() ?? 0) - (await harness.storage.now()).getTime()
    expect(leftMs).toBeGreaterThan(50_000)
    expect(leftMs).toBeLessThanOrEqual(60_000)
  })

  it('tells the viewer its scope by the protocol that it selects', async () => {
    const view = harness.connect({ protocols: offer({ token: (await issue()).token }) })
    const control = harness.connect({ protocols: offer({ token: (await issue({ scope: 'control' })).token }) })
    await Promise.all([view.opened, control.opened])
    expect([view.socket.protocol, control.socket.protocol]).toEqual(['runwright.view', 'runwright.control'])
  })

  it('serves stock noVNC, with and without the binary protocol', async () => {
    const one = harness.connect({ token: (await issue()).token, protocols: ['binary'] })
    const two = harness.connect({ token: (await issue()).token })
    await Promise.all([one.handshake(), two.handshake()])
    expect([one.socket.protocol, two.socket.protocol]).toEqual(['binary', ''])
  })

  it('refuses a foreign origin before it looks at the token, which stays good', async () => {
    const { token } = await issue()
    await expect(harness.connect({ token, origin: 'https://evil.example' }).opened).rejects.toBe(403)
    await expect(harness.connect({ token, origin: 'null' }).opened).rejects.toBe(403)
    await harness.connect({ token, origin: 'https://app.example.com' }).handshake()
  })

  it('closes with 4403 where the token is for another origin', async () => {
    const { token } = await issue({ origin: 'https://app.example.com' })
    expect((await harness.connect({ token }).closed).code).toBe(4403)
    await expect(harness.connect({ token, origin: null }).opened).rejects.toBe(403)
    await harness.connect({ token, origin: 'https://app.example.com' }).handshake()
  })

  it('tells pages by a close code and other clients by a status that a token is bad', async () => {
    expect((await harness.connect({ token: ticket('x') }).closed).code).toBe(4401)
    expect((await harness.connect().closed).code).toBe(4401)
    await expect(harness.connect({ token: 'short', origin: null }).opened).rejects.toBe(401)
  })

  it('does not open another session, and the token stays good', async () => {
    await insertSession(harness.storage, 'bs_2')
    await harness.streaming.startDisplay({ browserSessionId: 'bs_2' })
    const { token } = await issue()
    expect((await harness.connect({ path: `/runwright/sessions/bs_2/stream?token=${token}` }).closed).code).toBe(4401)
    await harness.connect({ token }).handshake()
  })

  it('leaves other paths alone', async () => {
    for (const path of ['/', '/runwright', '/runwright/sessions/bs_1', '/runwright/sessions/a/b/stream', '/other/sessions/bs_1/stream']) {
      await expect(harness.connect({ path }).opened).rejects.toBe(418)
    }
  })

  it('lets in as many viewers as there may be, and the token of the next stays good', async () => {
    const [one] = await Promise.all([issue(), issue()].map(async (issued) => harness.connect({ token: (await issued).token }).handshake()))
    const { token } = await issue()
    expect((await harness.connect({ token }).closed).code).toBe(4429)
    one?.socket.close()
    await until(() => harness.streaming.health().viewers === 1)
    await harness.connect({ token }).handshake()
  })

  it('closes on text frames with 1003 and on what is not RFB with 1008', async () => {
    const text = await harness.connect({ token: (await issue()).token }).handshake()
    text.socket.send('hello')
    expect((await text.closed).code).toBe(1003)
    const nonsense = harness.connect({ token: (await issue()).token })
    await nonsense.bytes(12)
    nonsense.socket.send(Buffer.from('this is no RFB'))
    expect((await nonsense.closed).code).toBe(1008)
  })

  it('shows the end of a session, on which its tokens and tickets open nothing any more', async () => {
    const client = await harness.connect({ protocols: offer({ token: (await issue()).token, ticket: ticket('a') }) }).handshake()
    const unused = await issue()
    await harness.storage.commit([{ op: 'update', table: 'browser_sessions', id: 'bs_1', set: { status: 'completed' } }])
    await harness.streaming.endViewers('bs_1')
    expect((await client.closed).code).toBe(4410)
    await harness.streaming.stopDisplay({ browserSessionId: 'bs_1' })
    expect((await harness.connect({ protocols: offer({ ticket: ticket('a') }) }).closed).code).toBe(4410)
    expect((await harness.connect({ token: unused.token }).closed).code).toBe(4410)
  })

  it('ends the view of a revoked token, and its ticket', async () => {
    const { token, viewTokenId } = await issue()
    const client = await harness.connect({ protocols: offer({ token, ticket: ticket('a') }) }).handshake()
    expect(await harness.streaming.revoke({ organizationId: 'other', viewTokenId })).toBe(false)
    expect(await harness.streaming.revoke({ viewTokenId })).toBe(true)
    expect((await client.closed).code).toBe(4401)
    expect((await harness.connect({ protocols: offer({ ticket: ticket('a') }) }).closed).code).toBe(4401)
    expect(await harness.streaming.revoke({ viewTokenId })).toBe(false)
  })

  it('asks viewers to come back when the display goes and the session does not', async () => {
    const stopped = await harness.connect({ token: (await issue()).token }).handshake()
    await harness.streaming.stopDisplay({ browserSessionId: 'bs_1' })
    expect((await stopped.closed).code).toBe(1012)
    await harness.streaming.startDisplay({ browserSessionId: 'bs_1' })
    const bereft = await harness.connect({ token: (await issue()).token }).handshake()
    for (const socket of harness.rfb.sockets) socket.destroy()
    expect((await bereft.closed).code).toBe(1011)
  })

  it('records who watched, in the session’s stream, with no secret in it or in the log', async () => {
    const { token } = await issue()
    const client = await harness.connect({ token }).handshake()
    client.socket.close(1000)
    await client.closed
    await harness.connect({ token }).closed
    const wanted = ['display.started', 'stream.viewer_joined', 'stream.viewer_left', 'stream.viewer_refused']
    await until(async () => (await harness.storedEventTypes()).length === wanted.length)
    expect((await harness.storedEventTypes()).sort()).toEqual(wanted)
    expect(harness.events.map(({ type }) => type).sort()).toEqual(wanted)
    expect(harness.events.find(({ type }) => type === 'stream.viewer_left')?.payload).toMatchObject({ scope: 'view', code: 1000 })
    expect(JSON.stringify([harness.events, harness.logged])).not.toContain(token)
    expect(JSON.stringify(await harness.storage.find({ table: 'view_tokens' }))).not.toContain(token)
  })

  it('answers 503 while the supervisor does not run', async () => {
    await harness.streaming.stop()
    await expect(harness.connect({ token: ticket('x') }).opened).rejects.toBe(503)
  })

  it('closes every view with 4409 when it stops', async () => {
    const client = await harness.connect({ token: (await issue()).token }).handshake()
    await harness.streaming.stop()
    expect((await client.closed).code).toBe(4409)
  })
})

describe('a viewer', () => {
  it('that answers no ping is cut after two misses, and leaves no timer', async () => {
    const clock = new FakeClock()
    const harness = await new Harness({ clock }).start()
    await harness.streaming.startDisplay({ browserSessionId: 'bs_1' })
    const { token } = await harness.streaming.issueToken({ browserSessionId: 'bs_1', scope: 'view' })
    const client = await harness.connect({ token }).handshake()
    client.socket.pause() // takes no frame, so answers no ping
    await clock.advance(40_000)
    expect(harness.streaming.health().viewers).toBe(1)
    await clock.advance(20_000)
    await until(() => harness.streaming.health().viewers === 0)
    client.socket.resume()
    expect((await client.closed).code).toBe(1006)
    await harness.stop()
    expect(clock.pendingTimers).toBe(0)
  })

  it('that takes nothing is not sent more than its share, and another is not held up', async () => {
    const harness = await new Harness().start()
    await harness.streaming.startDisplay({ browserSessionId: 'bs_1' })
    const open = async () =>
      harness.connect({ token: (await harness.streaming.issueToken({ browserSessionId: 'bs_1', scope: 'view' })).token }).handshake()
    const [stuck, quick] = [await open(), await open()]
    stuck.socket.pause()
    const megabytes = 32
    const [toStuck, toQuick] = [...harness.rfb.sockets]
    for (let index = 0; index < megabytes; index += 1) {
      toStuck?.write(Buffer.alloc(1024 * 1024))
      toQuick?.write(Buffer.alloc(1024 * 1024))
    }
    await quick.bytes(megabytes * 1024 * 1024)
    expect(toStuck?.writableLength).toBeGreaterThan(8 * 1024 * 1024) // waits at the display's end, not in our memory
    stuck.socket.resume()
    await stuck.bytes(megabytes * 1024 * 1024)
    await harness.stop()
  })
})
