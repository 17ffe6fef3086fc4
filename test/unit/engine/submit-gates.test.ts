import { describe, expect, it } from 'vitest'
import type { AuthorizationRequest } from '../../../src/engine/run-ports.js'
import { code, failure, gate, handlers, settle, startEngine } from './kit.js'

const definition = { blocks: [code('a')] }

describe('the gates of a submission', () => {
  it('are asked in order: authorizer, rate limiter, queue; a repetition by key is neither counted nor limited', async () => {
    const asked: string[] = []
    const tell = (who: string) => (request: AuthorizationRequest) => asked.push(`${who} ${request.action} ${request.workflowPermanentId}`)
    let left = 2
    const { engine, clock, memory } = await startEngine({
      authorizer: { authorize: async (request) => tell('authorizer')(request) > 0 },
      rateLimiter: { consume: async (request) => ({ allowed: tell('limiter')(request) > 0 && left-- > 0, retryAfterMs: 500 }) },
    })
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'T', definition })
    const request = { workflowPermanentId, idempotencyKey: 'k' }
    const [one, same] = await Promise.all([engine.startRun(request), engine.startRun(request)])
    expect(same.workflowRunId).toBe(one.workflowRunId)
    expect((await engine.startRun(request)).workflowRunId).toBe(one.workflowRunId)
    await engine.runTask({ url: 'https://example.com', steps: [{ action: { type: 'wait', waitSec: 1 } }] } as never).catch(() => {})
    const refused = await failure(engine.startRun({ workflowPermanentId }))
    expect(refused).toMatchObject({ code: 'RATE_LIMITED', retryable: true, details: { retryAfterMs: 500 } })
    expect(asked.filter((line) => line.startsWith('limiter startRun'))).toEqual([
      `limiter startRun ${workflowPermanentId}`,
      `limiter startRun ${workflowPermanentId}`,
    ])
    expect(asked[0]).toBe(`authorizer startRun ${workflowPermanentId}`)
    expect(asked.filter((line) => line.startsWith('authorizer startRun'))).toHaveLength(4)
    await settle(one.result(), clock)
    expect(await memory.count('runs', { runType: 'workflow' })).toBe(1)
  })

  it('keep what is not allowed out: no row, and nobody is asked after the authorizer', async () => {
    let consumed = 0
    const { engine, memory } = await startEngine({
      authorizer: { authorize: async () => ({ allowed: false, reason: 'not on Sundays' }) },
      rateLimiter: { consume: async () => ({ allowed: ++consumed > 0 }) },
    })
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'T', definition })
    expect(await failure(engine.startRun({ workflowPermanentId }))).toMatchObject({ code: 'NOT_AUTHORIZED', message: 'not on Sundays' })
    expect(await failure(engine.startRun({ workflowPermanentId: 'unknown' }))).toMatchObject({ code: 'NOT_AUTHORIZED' })
    const action = { type: 'goto_url', url: 'https://example.com' } as const
    expect((await failure(engine.runAction({ action } as never))).code).toBe('NOT_AUTHORIZED')
    expect((await failure(engine.runAction({ action, workflowRunId: 'wr_1' } as never))).code).toBe('NOT_AUTHORIZED')
    expect(consumed).toBe(0)
    expect(await memory.count('runs')).toBe(0)
  })

  it('refuse a run too many, also when all ask at once', async () => {
    const passed = gate()
    const { engine, clock, memory } = await startEngine({
      concurrency: 1,
      maxQueuedRuns: 3,
      handlers: { ...handlers, wait: () => passed.passed as never },
    })
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'T', definition: { blocks: [code('a', 'wait')] } })
    const first = await engine.startRun({ workflowPermanentId })
    await clock.advance(1)
    const asked = await Promise.allSettled(Array.from({ length: 10 }, () => engine.startRun({ workflowPermanentId })))
    const refused = asked.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []))
    expect(refused).toHaveLength(7)
    expect(refused[0]).toMatchObject({ code: 'QUEUE_FULL', retryable: true, details: { queued: 3, maxQueuedRuns: 3 } })
    expect(await memory.count('runs')).toBe(4)
    passed.open()
    await settle(first.result(), clock)
    await clock.advance(10)
    expect(await engine.startRun({ workflowPermanentId })).toBeDefined() // there is room again
  })
})
