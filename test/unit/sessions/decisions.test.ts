import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CLOSE_REASONS } from '../../../src/sessions/close-options.js'
import { graceMs } from '../../../src/sessions/lease-terms.js'
import { refusalOf } from '../../../src/sessions/occupy-refusal.js'
import { MAX_LIFETIME_MINUTES, renewalOf } from '../../../src/sessions/renewal.js'
import { isFinalStatus, LIVE_STATUSES, statusesBefore, statusFor } from '../../../src/sessions/session-status.js'
import type { BrowserSessionRow } from '../../../src/storage/index.js'

const STATUSES = ['created', 'running', 'retry', 'completed', 'failed', 'timeout'] as const
const at = (ms: number) => new Date(1_800_000_000_000 + ms)
const NOW = at(0)
const HOUR = 3_600_000

const makeRow = (changes: Partial<BrowserSessionRow>) =>
  ({
    browserSessionId: 'bs_1',
    organizationId: 'acme',
    status: 'running',
    hostId: 'host_a',
    hostLeaseExpiresAt: at(10_000),
    startedAt: at(-HOUR),
    expiresAt: at(HOUR),
    timeoutMinutes: 60,
    leaseToken: null,
    leaseExpiresAt: null,
    leaseSince: null,
    leaseHolder: null,
    runnableType: null,
    runnableId: null,
    runnableFence: null,
    retiredAt: null,
    closeReason: null,
    ...changes,
  }) as BrowserSessionRow

describe('the status of a session', () => {
  it('never leaves a final one, and never goes to itself', () => {
    for (const to of STATUSES) {
      const before = statusesBefore(to)
      expect(before).not.toContain(to)
      expect(before.filter(isFinalStatus)).toEqual([])
    }
    expect(STATUSES.filter((status) => !isFinalStatus(status))).toEqual(LIVE_STATUSES)
    expect(statusesBefore('running')).toEqual(['created', 'retry'])
  })

  it('is a final one for every close reason', () => {
    for (const reason of CLOSE_REASONS) expect(isFinalStatus(statusFor(reason))).toBe(true)
  })
})

describe('why a session is refused', () => {
  const refusal = (changes: Partial<BrowserSessionRow> | undefined, facts: { isLiveHere?: boolean } = {}) =>
    refusalOf({
      browserSessionId: 'bs_1',
      organizationId: 'acme',
      row: changes && makeRow(changes),
      now: NOW,
      hostId: 'host_a',
      isLiveHere: true,
      leaseTtlMs: 30_000,
      ...facts,
    })?.code ?? null
  const held = { leaseToken: 't', runnableType: 'workflow_run', runnableId: 'wr_1' }

  it.each([
    [undefined, 'SESSION_NOT_FOUND'],
    [{ organizationId: 'other' }, 'SESSION_NOT_FOUND'],
    [{ status: 'completed' }, 'SESSION_ENDED'],
    [{ expiresAt: at(0) }, 'SESSION_EXPIRED'],
    [{ hostId: 'host_b' }, 'SESSION_HOST_UNAVAILABLE'],
    [{ hostLeaseExpiresAt: at(-1) }, 'SESSION_HOST_UNAVAILABLE'],
    [{ ...held, leaseExpiresAt: at(10) }, 'SESSION_OCCUPIED'],
    [{ ...held, leaseExpiresAt: at(-2_999) }, 'SESSION_OCCUPIED'],
    [{ ...held, leaseExpiresAt: at(-3_001) }, null],
    [{}, null],
  ] as const)('%j: %s', (changes, code) => {
    expect(refusal(changes)).toBe(code)
  })

  it('is its host when the browser is not in this process', () => {
    expect(refusal({}, { isLiveHere: false })).toBe('SESSION_HOST_UNAVAILABLE')
  })

  it('leaves a lapsed holder a tenth of its time, and two seconds at least', () => {
    expect([graceMs(1_000), graceMs(30_000), graceMs(60_000)]).toEqual([2_000, 3_000, 6_000])
  })
})

describe('a renewal', () => {
  it('never shortens, and never goes beyond the longest life', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_440 }),
        fc.integer({ min: 1, max: 48 * HOUR }),
        fc.integer({ min: 0, max: 24 * HOUR }),
        (minutes, left, age) => {
          const row = makeRow({ expiresAt: at(left), startedAt: at(-age) })
          const renewal = renewalOf(row, minutes, NOW)
          if (renewal.kind === 'refused') return false
          if (renewal.kind === 'unchanged') return true
          const latest = -age + MAX_LIFETIME_MINUTES * 60_000
          return renewal.expiresAt > at(left) && renewal.expiresAt <= at(latest) && renewal.expiresAt <= at(minutes * 60_000)
        },
      ),
    )
  })

  it('is refused for one that has not started', () => {
    expect(renewalOf(makeRow({ status: 'created', startedAt: null, expiresAt: null }), 5, NOW).kind).toBe('refused')
  })
})
