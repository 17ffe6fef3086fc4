import { expect, it, vi } from 'vitest'
import { drill, type Fault } from '../../support/run-model/fault-drill.js'

vi.mock('../../../src/sessions/session-directory.js', async (original) =>
  (await import('../../support/session-model/air-folders.js')).onAir(await original()),
)
vi.mock('../../../src/engine/webhooks/http-transport.js', async () => ({
  HttpTransport: (await import('../../support/run-model/air-transport.js')).AirTransport,
}))

/** Every n-th call of a run fails, in turn; 1 is every one. */
const STRIDE = Number(process.env.RUNWRIGHT_FAULT_STRIDE ?? 3)
const MOST_CALLS = 200

/** What may become of a run whose host failed, beside completing: a block, or its child, failed with the storage; or its host was lost. */
const EXPLAINED = ['STORAGE_FAILED', 'CHILD_RUN_FAILED', 'HOST_LOST']
const SESSION_GONE = ['SESSION_LOST', 'SESSION_HOST_UNAVAILABLE']

const faults: readonly Fault[] = [
  { session: 'named', how: 'before', onHostLost: 'resume' },
  { session: 'private', how: 'before', onHostLost: 'fail' },
  { session: 'named', how: 'after', onHostLost: 'fail' },
  { session: 'private', how: 'after', onHostLost: 'resume' },
  { session: 'named', how: 'onwards', onHostLost: 'fail' },
  { session: 'private', how: 'onwards', onHostLost: 'resume' },
]

it.each(faults)(
  'a run with browser, pause, child, finally block and webhook ends truly whichever call of its storage fails: $session session, $how, $onHostLost',
  async (fault) => {
    const seen = new Map<string, number>()
    const codes = fault.how === 'onwards' && fault.session === 'named' ? [...EXPLAINED, ...SESSION_GONE] : EXPLAINED
    let call = 1 + (faults.indexOf(fault) % STRIDE)
    for (let isReached = true; isReached && call < MOST_CALLS; call += STRIDE) {
      const result = await drill(call, fault)
      isReached = result.isReached
      expect([call, result.violations]).toEqual([call, []])
      if (result.status !== 'completed')
        expect([call, result.status, codes]).toEqual([call, 'failed', expect.arrayContaining([result.errorCode])])
      seen.set(result.status, (seen.get(result.status) ?? 0) + 1)
      if (!isReached) expect([call, result.status]).toEqual([call, 'completed'])
    }
    expect(call).toBeGreaterThan(20)
    expect(call).toBeLessThan(MOST_CALLS)
    expect(seen.get('completed')).toBeGreaterThan(2)
  },
  120_000,
)

it('a private browser that could not be closed with its run is closed later', async () => {
  for (let call = 25; call < 45; call++) {
    const { violations } = await drill(call, { session: 'private', how: 'before', onHostLost: 'resume' })
    expect([call, violations]).toEqual([call, []])
  }
}, 120_000)
