import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { expirePauses } from '../../../src/engine/people/pause-expiry.js'
import { storageNow } from '../../../src/storage/index.js'
import { failure, runRow, streamOf, types } from './kit.js'
import { pausedRun, peopleKit } from './people-kit.js'

const answer = { organizationId: 'acme', workflowRunId: 'wr_1', decision: 'approve', by: 'Ada' } as const
const HOURS = 3_600_000

describe('a decision', () => {
  it('has the run go on in one commit: decision, time paused, event; then it is dispatched', async () => {
    const kit = peopleKit()
    await pausedRun(kit, { pausedMs: 500 })
    await kit.clock.advance(2_000)
    const run = await kit.resumes.resume({ ...answer, resumeToken: 'token_1', data: { amount: 7 } })
    expect(run).toMatchObject({ status: 'running', leaseHolder: null, leaseExpiresAt: null, leaseFence: 1, attempt: 1, pausedMs: 2_500 })
    expect(run).toMatchObject({ pausedAt: null, pauseExpiresAt: null })
    expect(run.pauseDecision).toEqual({
      runBlockId: 'rb_1',
      decision: 'approve',
      data: { amount: 7 },
      by: 'Ada',
      at: '2026-01-01T00:00:02.000Z',
    })
    expect(kit.emitted).toMatchObject([
      { type: 'run.resumed', payload: { runBlockId: 'rb_1', label: 'ask', decision: 'approve', by: 'Ada' } },
    ])
    expect(types(await streamOf(kit.memory))).toEqual(['run.paused', 'run.resumed'])
    expect(kit.dispatched).toEqual(['wr_1'])
  })

  it('given again with the same token changes nothing, also when the run has gone on or ended', async () => {
    const kit = peopleKit()
    await pausedRun(kit)
    await kit.resumes.resume({ ...answer, resumeToken: 'token_1' })
    for (const set of [{ status: 'running' }, { pause: null, pauseDecision: null }, { status: 'completed' }] as const) {
      await kit.storage.commit([{ op: 'update', table: 'runs', id: 'wr_1', set }])
      const before = kit.memory.snapshot()
      expect(await kit.resumes.resume({ ...answer, resumeToken: 'token_1' })).toEqual(await runRow(kit.memory))
      expect(await failure(kit.resumes.resume({ ...answer, decision: 'reject', resumeToken: 'token_1' }))).toMatchObject({
        code: 'RUN_NOT_PAUSED',
      })
      expect(await failure(kit.resumes.resume(answer))).toMatchObject({ code: 'RUN_NOT_PAUSED' })
      expect(kit.memory.snapshot()).toEqual(before)
    }
    expect(kit.dispatched).toEqual(['wr_1'])
  })

  it('with the token of another pause is refused, but for the repetition of the one that was given then', async () => {
    const kit = peopleKit()
    await pausedRun(kit)
    await kit.resumes.resume({ ...answer, resumeToken: 'token_1' })
    await kit.storage.commit([{ op: 'delete', table: 'runs', id: 'wr_1' }])
    await pausedRun(kit, { token: 'token_2', runBlockId: 'rb_2', leaseFence: 2 })
    const before = kit.memory.snapshot()
    expect(await kit.resumes.resume({ ...answer, resumeToken: 'token_1' })).toMatchObject({ status: 'paused' })
    const other = { ...answer, decision: 'reject', resumeToken: 'token_1' } as const
    expect(await failure(kit.resumes.resume(other))).toMatchObject({ code: 'RESUME_TOKEN_MISMATCH' })
    expect(await failure(kit.resumes.resume({ ...answer, resumeToken: 'made up' }))).toMatchObject({ code: 'RESUME_TOKEN_MISMATCH' })
    expect(kit.memory.snapshot()).toEqual(before)
  })

  it('about a run of somebody else, an unknown one, or one that is being canceled is refused', async () => {
    const kit = peopleKit()
    await pausedRun(kit, { cancelRequestedAt: storageNow(), cancelRequestedBy: 'Bob' })
    expect(await failure(kit.resumes.resume({ ...answer, organizationId: 'other' }))).toMatchObject({ code: 'RUN_NOT_FOUND' })
    expect(await failure(kit.resumes.resume({ ...answer, workflowRunId: 'wr_9' }))).toMatchObject({ code: 'RUN_NOT_FOUND' })
    expect(await failure(kit.resumes.resume(answer))).toMatchObject({ code: 'RUN_NOT_PAUSED', details: { status: 'being canceled' } })
  })

  it('that comes too late is the end of the time, whoever says so first', async () => {
    const kit = peopleKit()
    await pausedRun(kit)
    await kit.clock.advance(2 * HOURS)
    expect(await failure(kit.resumes.resume({ ...answer, resumeToken: 'token_1' }))).toMatchObject({ code: 'RUN_NOT_PAUSED' })
    expect(await runRow(kit.memory)).toMatchObject({ status: 'running', pauseDecision: { decision: 'timeout', by: 'the time limit' } })
  })

  it('is written though the dispatcher fails: a sweep finds the run', async () => {
    const kit = peopleKit()
    await pausedRun(kit)
    kit.dispatched.push = () => {
      throw new Error('no queue')
    }
    expect(await kit.resumes.resume(answer)).toMatchObject({ status: 'running', pauseDecision: { decision: 'approve' } })
  })

  it('is one, however many decide at once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.constantFrom('approve', 'reject', 'expire', 'cancel'), { minLength: 2, maxLength: 5 }),
        async (scheduler, who) => {
          const kit = peopleKit()
          const run = await pausedRun(kit, { pauseExpiresAt: new Date('2026-01-01T00:00:01Z') })
          if (who.includes('expire')) await kit.clock.advance(1_000)
          const cancel = () =>
            kit.storage.commit([
              {
                op: 'update',
                table: 'runs',
                id: 'wr_1',
                where: { status: 'paused' },
                set: { status: 'canceled', cancelRequestedAt: storageNow() },
              },
            ])
          const act = (what: (typeof who)[number]): Promise<unknown> => {
            if (what === 'cancel') return cancel()
            return what === 'expire' ? kit.resumes.expire(run) : kit.resumes.resume({ ...answer, decision: what })
          }
          const all = Promise.allSettled(who.map((what) => scheduler.schedule(Promise.resolve()).then(() => act(what))))
          await scheduler.waitFor(all)
          const resumed = (await streamOf(kit.memory)).filter(({ type }) => type === 'run.resumed')
          const row = await runRow(kit.memory)
          expect(resumed).toHaveLength(row.status === 'canceled' ? 0 : 1)
          if (row.status !== 'canceled')
            expect(row.pauseDecision).toMatchObject({ decision: (resumed[0]?.payload as { decision: string } | undefined)?.decision })
        },
      ),
      { numRuns: 100 },
    )
  })
})

describe('the time of a pause', () => {
  it('is over where it was paused by a timer, not a moment before', async () => {
    const kit = peopleKit()
    kit.timers.paused(await pausedRun(kit))
    await kit.clock.advance(2 * HOURS - 1)
    expect(await runRow(kit.memory)).toMatchObject({ status: 'paused' })
    await kit.clock.advance(1)
    expect(await runRow(kit.memory)).toMatchObject({
      status: 'running',
      pausedMs: 2 * HOURS,
      pauseDecision: { decision: 'timeout', data: null },
    })
    expect(kit.emitted).toMatchObject([{ type: 'run.resumed', payload: { decision: 'timeout' } }])
    expect(kit.dispatched).toEqual(['wr_1'])
    expect(kit.clock.pendingTimers).toBe(0)
  })

  it('leaves no timer behind when somebody has decided, or the engine stops', async () => {
    const kit = peopleKit()
    kit.timers.paused(await pausedRun(kit))
    kit.timers.paused(await pausedRun(kit, { workflowRunId: 'wr_2' }))
    expect(kit.clock.pendingTimers).toBe(2)
    await kit.resumes.resume(answer)
    expect(kit.clock.pendingTimers).toBe(1)
    kit.timers.stop()
    expect(kit.clock.pendingTimers).toBe(0)
  })

  it('is looked at again when the storage clock is behind', async () => {
    const kit = peopleKit()
    kit.timers.paused(await pausedRun(kit))
    kit.clock.skew(-1_000)
    await kit.clock.advance(2 * HOURS)
    expect(await runRow(kit.memory)).toMatchObject({ status: 'paused' })
    await kit.clock.advance(1_000)
    expect(await runRow(kit.memory)).toMatchObject({ status: 'running' })
    expect(kit.clock.pendingTimers).toBe(0)
  })

  it('is over by the sweep of any host, for those whose time it is', async () => {
    const kit = peopleKit()
    await pausedRun(kit)
    await pausedRun(kit, { workflowRunId: 'wr_2', pauseExpiresAt: new Date('2026-01-01T05:00:00Z') })
    await pausedRun(kit, { workflowRunId: 'wr_3', cancelRequestedAt: storageNow() })
    expect(await expirePauses(kit)).toBe(0)
    await kit.clock.advance(2 * HOURS)
    expect(await expirePauses(kit)).toBe(1)
    expect(await expirePauses(kit)).toBe(0)
    const statuses = await Promise.all(['wr_1', 'wr_2', 'wr_3'].map((id) => runRow(kit.memory, id)))
    expect(statuses.map(({ status }) => status)).toEqual(['running', 'paused', 'paused'])
  })
})

describe('the notifier', () => {
  it('is told what a person has to know', async () => {
    const notices: unknown[] = []
    const kit = peopleKit({ notifier: { notify: async (notice) => void notices.push(notice) } })
    kit.timers.paused(await pausedRun(kit))
    expect(notices).toEqual([
      {
        ...{ organizationId: 'acme', workflowRunId: 'wr_1', workflowTitle: 'A test', label: 'ask', instructions: 'Look' },
        ...{ positiveDescriptor: 'Approve', negativeDescriptor: 'Reject', recipients: ['ada@acme.test'], resumeToken: 'token_1' },
        expiresAt: '2026-01-01T02:00:00.000Z',
      },
    ])
  })

  it.each([
    ['throws', () => Promise.reject(new Error('no mail'))],
    [
      'throws at once',
      () => {
        throw new Error('no mail')
      },
    ],
    ['hangs', () => new Promise<void>(() => {})],
  ])('that %s disturbs nothing', async (_, notify) => {
    const kit = peopleKit({ notifier: { notify } })
    kit.timers.paused(await pausedRun(kit))
    expect(await kit.resumes.resume(answer)).toMatchObject({ status: 'running' })
  })
})
