import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isPublicAddress } from '../../../src/actions/index.js'
import { receiverAddresses } from '../../../src/engine/webhooks/receiver-address.js'
import { judgeAnswer, LONGEST_WAIT_MS, retryAfterMsOf, retryDelayMs } from '../../../src/engine/webhooks/retry-policy.js'
import { verifyWebhook } from '../../../src/index.js'
import { failure } from './kit.js'

const NOW = new Date('2026-01-01T00:00:00Z')
const judge = (statusCode: number, retryAfter: string | null = null) => judgeAnswer({ statusCode, retryAfter }, NOW)

describe('what an answer means', () => {
  it('takes every 2xx as taken', () => {
    for (const status of [200, 201, 202, 204, 299]) expect(judge(status)).toEqual({ kind: 'delivered', statusCode: status })
  })

  it('tries again after 403, 408, 425, 429 and every 5xx, and after nothing else', () => {
    const retried = Array.from({ length: 400 }, (_, index) => 200 + index).filter((status) => {
      const outcome = judge(status)
      return outcome.kind === 'failed' && !outcome.isFinal
    })
    expect(retried).toEqual([403, 408, 425, 429, ...Array.from({ length: 100 }, (_, index) => 500 + index)])
  })

  it('says of a redirect that it is not followed', () => {
    expect(judge(302)).toMatchObject({ isFinal: true, reason: 'the receiver answered 302: redirects are not followed' })
  })

  it.each([
    ['2', 2_000],
    [' 0 ', 0],
    ['Thu, 01 Jan 2026 00:00:07 GMT', 7_000],
    ['Thursday, 01-Jan-26 00:00:09 GMT', 9_000],
    ['Wed, 31 Dec 2025 23:59:00 GMT', 0],
    ['soon', null],
    ['-5', null],
    ['1.5', null],
    ['2026-01-01', null],
    [null, null],
  ])('reads Retry-After %s', (value, expected) => expect(retryAfterMsOf(value, NOW)).toBe(expected))

  it('waits longer after each attempt, never sooner than asked, and never longer than half a minute', () => {
    const random = (fraction: number) => ({ bytes: () => Buffer.alloc(0), fraction: () => fraction })
    const waits = [1, 2, 3, 4].map((attempt) => retryDelayMs({ attempt, retryAfterMs: null, random: random(0) }))
    expect(waits).toEqual([500, 2_000, 8_000, 15_000])
    const any = fc.record({
      attempt: fc.integer({ min: 1, max: 10 }),
      retryAfterMs: fc.option(fc.nat({ max: 10_000_000 })),
      fraction: fc.double({ min: 0, max: 0.999_999, noNaN: true }),
    })
    fc.assert(
      fc.property(any, ({ attempt, retryAfterMs, fraction }) => {
        const waitMs = retryDelayMs({ attempt, retryAfterMs, random: random(fraction) })
        return waitMs <= LONGEST_WAIT_MS && waitMs >= Math.min(LONGEST_WAIT_MS, retryAfterMs ?? 500) && waitMs >= 500
      }),
    )
  })
})

describe('where a receiver is', () => {
  const found =
    (...addresses: string[]) =>
    async () =>
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
  const where = (host: string, lookup = found('93.184.216.34'), allowPrivate = false) => receiverAddresses(host, { allowPrivate, lookup })

  it.each([
    ...['127.0.0.1', '10.1.2.3', '192.168.0.1', '172.16.0.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '2130706433', '0x7f.1'],
    ...[
      '[::1]',
      '[fe80::1]',
      '[fd00::1]',
      '[::ffff:127.0.0.1]',
      '[64:ff9b::7f00:1]',
      'localhost',
      'printer.local',
      'metadata.google.internal',
    ],
  ])('refuses %s', async (host) => {
    const hostname = new URL(`http://${host}/`).hostname
    expect(await where(hostname)).toEqual({ refusal: expect.stringContaining('not at an address of the public internet') })
  })

  it('refuses names that lead to private addresses, and uses the public ones of those that lead to both', async () => {
    expect(await where('inside.example', found('10.0.0.1', 'fe80::1'))).toEqual({ refusal: expect.stringContaining('inside.example') })
    expect(await where('both.example', found('10.0.0.1', '93.184.216.34'))).toEqual({
      addresses: [{ address: '93.184.216.34', family: 4 }],
    })
  })

  it('lets private ones be reached where that is allowed', async () => {
    expect(await where('localhost', found('127.0.0.1'), true)).toEqual({ addresses: [{ address: '127.0.0.1', family: 4 }] })
    expect(isPublicAddress('127.0.0.1')).toBe(false)
  })
})

describe('verifyWebhook', () => {
  const body = JSON.stringify({ workflowRunId: 'wr_1', status: 'completed', outputs: { text: 'é' } })
  const secret = 'a secret'
  const sentAt = Math.floor(NOW.getTime() / 1_000)
  const sign = (key: string, timestamp: number | string, text = body) =>
    createHmac('sha256', key).update(`${timestamp}.${text}`).digest('hex')
  const headersOf = (changes: Record<string, string | undefined> = {}) => ({
    'x-runwright-delivery': 'whd_1',
    'x-runwright-timestamp': String(sentAt),
    'x-runwright-signature': sign(secret, sentAt),
    ...changes,
  })
  const verify = (params: Partial<Parameters<typeof verifyWebhook>[0]> = {}) =>
    verifyWebhook({ headers: headersOf(), body, secret, now: NOW, ...params })
  const reasonOf = async (params: Partial<Parameters<typeof verifyWebhook>[0]>) => {
    const error = await failure(Promise.resolve().then(() => verify(params)))
    return error.code === 'WEBHOOK_NOT_VERIFIED' ? error.details.reason : error.code
  }

  it('gives what was delivered, from headers of any kind and bodies of either', () => {
    const expected = { deliveryId: 'whd_1', timestamp: NOW, result: JSON.parse(body) }
    const shouted = Object.fromEntries(Object.entries(headersOf()).map(([name, value]) => [name.toUpperCase(), value]))
    for (const headers of [headersOf(), shouted, new Headers(headersOf()), { ...headersOf(), 'x-runwright-delivery': ['whd_1'] }]) {
      expect(verify({ headers })).toEqual(expected)
    }
    expect(verify({ body: Buffer.from(body) })).toEqual(expected)
    expect(verify({ body: new Uint8Array(Buffer.from(body)) })).toEqual(expected)
  })

  it('takes the old and the new secret while one replaces the other', async () => {
    expect(verify({ secret: ['new', secret] }).deliveryId).toBe('whd_1')
    expect(await reasonOf({ secret: ['new', 'newer'] })).toBe('wrong_signature')
  })

  it('refuses another body, another time, another secret', async () => {
    expect(await reasonOf({ body: body.replace('completed', 'failed') })).toBe('wrong_signature')
    expect(await reasonOf({ body: `${body} ` })).toBe('wrong_signature')
    expect(await reasonOf({ headers: headersOf({ 'x-runwright-timestamp': String(sentAt + 1) }) })).toBe('wrong_signature')
    expect(await reasonOf({ secret: 'another' })).toBe('wrong_signature')
    const signature = headersOf()['x-runwright-signature']
    const flipped = `${signature.slice(0, -1)}${signature.endsWith('0') ? '1' : '0'}`
    expect(await reasonOf({ headers: headersOf({ 'x-runwright-signature': flipped }) })).toBe('wrong_signature')
  })

  it('refuses what was sent too long ago, or later than now', async () => {
    const at = (seconds: number) => ({ now: new Date(NOW.getTime() + seconds * 1_000) })
    expect(verify(at(300)).timestamp).toEqual(NOW)
    expect(await reasonOf(at(301))).toBe('too_old')
    expect(verify(at(-300)).timestamp).toEqual(NOW)
    expect(await reasonOf(at(-301))).toBe('from_the_future')
    expect(await reasonOf({ ...at(11), toleranceSeconds: 10 })).toBe('too_old')
  })

  it.each([
    ['x-runwright-delivery', undefined, 'missing_header'],
    ['x-runwright-timestamp', undefined, 'missing_header'],
    ['x-runwright-signature', undefined, 'missing_header'],
    ['x-runwright-delivery', '', 'malformed'],
    ['x-runwright-timestamp', '1e9', 'malformed'],
    ['x-runwright-timestamp', '-1', 'malformed'],
    ['x-runwright-signature', 'sha256=00', 'malformed'],
    ['x-runwright-signature', 'ab', 'malformed'],
  ])('tells what is wrong with %s: %s', async (name, value, reason) => {
    expect(await reasonOf({ headers: headersOf({ [name]: value }) })).toBe(reason)
  })

  it('refuses a header that is there twice', async () => {
    expect(await reasonOf({ headers: { ...headersOf(), 'X-Runwright-Timestamp': String(sentAt) } })).toBe('malformed')
    expect(await reasonOf({ headers: { ...headersOf(), 'x-runwright-delivery': ['whd_1', 'whd_2'] } })).toBe('malformed')
  })

  it('refuses what is signed, but no result', async () => {
    for (const text of ['', 'null', '[]', '{"status":"completed"']) {
      const headers = headersOf({ 'x-runwright-signature': sign(secret, sentAt, text) })
      expect(await reasonOf({ headers, body: text })).toBe('malformed')
    }
  })

  it('takes no secret that everybody has', async () => {
    for (const empty of ['', [], ['good', ''], undefined as never]) expect(await reasonOf({ secret: empty })).toBe('INVALID_ARGUMENT')
    expect(await reasonOf({ toleranceSeconds: Number.NaN })).toBe('INVALID_ARGUMENT')
  })
})
