import { describe, expect, it } from 'vitest'
import type { AnyEvent } from '../../../src/events/index.js'
import { eventSchemas } from '../../../src/events/index.js'
import { code, failure, gate, handlers, settle, startEngine, startHost, streamOf, types, until } from './kit.js'

/** Reads a stream to its end. */
async function collect(events: AsyncIterable<AnyEvent>): Promise<AnyEvent[]> {
  const all: AnyEvent[] = []
  for await (const event of events) all.push(event)
  return all
}

describe('events', () => {
  it('tell the life of a run in order, each with the payload of its schema', async () => {
    const site = { 'https://a.test/': { elements: [{ css: '#go' }] } }
    const { start, clock, memory } = await startHost({ driver: { site } })
    const steps = [{ type: 'click' as const, target: { css: '#go' } }, { type: 'screenshot' as const }]
    const handle = await start({
      parameters: [{ kind: 'workflow', key: 'list', type: 'json', default: [1] }],
      blocks: [
        code('a', 'fail', { maxRetries: 1, continueOnFailure: true }),
        { type: 'action', label: 'go', url: 'https://a.test/', steps },
        { type: 'for_loop', label: 'loop', loopOverParameterKey: 'list', loopBlocks: [code('x')] },
      ],
    })
    await settle(handle.result(), clock)
    const events = await streamOf(memory)
    expect(types(events)).toEqual([
      'run.created',
      'run.queued',
      'run.started',
      'block.started',
      'block.retried',
      'block.started',
      'block.failed',
      'block.started',
      'artifact.saved',
      'action.performed',
      'action.performed',
      'action.performed',
      'block.completed',
      'block.started',
      'block.started',
      'block.completed',
      'block.progressed',
      'block.completed',
      'run.completed',
    ])
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
    for (const { type, payload } of events) {
      const parsed = eventSchemas[type as keyof typeof eventSchemas].strict().safeParse(payload)
      expect([type, parsed.error?.issues]).toEqual([type, undefined])
    }
  })

  it('reach listeners after they are stored, exactly those that are', async () => {
    const { run, events, memory, engine } = await startEngine()
    const stored: number[] = []
    engine.onAny((event) => {
      if (event.stream === 'run:wr_1') void streamOf(memory).then((all) => stored.push(all.filter(({ id }) => id === event.id).length))
    })
    await run({ blocks: [code('a'), code('b')] })
    const ofRun = events.filter(({ stream }) => stream === 'run:wr_1')
    expect(ofRun.map(({ id }) => id)).toEqual((await streamOf(memory)).map(({ id }) => id))
    await until(() => stored.length === ofRun.length)
    expect(new Set(stored)).toEqual(new Set([1]))
  })

  it('are typed by name for listeners, and a listener can be taken back', async () => {
    const { run, engine } = await startEngine()
    const heard: string[] = []
    const off = engine.on('run.completed', ({ workflowRunId, outputs }, event) =>
      heard.push(`${workflowRunId} ${event.seq} ${JSON.stringify(outputs)}`),
    )
    await run({ blocks: [code('a')] })
    off()
    await run({ blocks: [code('a')] })
    expect(heard).toEqual(['wr_1 6 {"a_output":null}'])
  })

  it('whose listeners throw, or reject, disturb no run: onListenerError hears of it', async () => {
    const reports: [unknown, string][] = []
    const { run, engine } = await startEngine({
      onListenerError: (error, event) => {
        reports.push([error, event.type])
        throw new Error('the reporter too')
      },
    })
    engine.onAny(() => {
      throw new Error('bad listener')
    })
    engine.on('run.started', (async () => Promise.reject(new Error('worse'))) as never)
    const result = await run({ blocks: [code('a')] })
    expect(result.status).toBe('completed')
    await until(() => reports.some(([error]) => (error as Error).message === 'worse'))
    expect(reports.filter(([error]) => (error as Error).message === 'bad listener').length).toBeGreaterThanOrEqual(6)
  })
})

describe('events()', () => {
  it('replays what is stored and follows, without gap or duplicate, and ends after the final event', async () => {
    const passed = gate()
    const { start, clock, memory } = await startEngine({ handlers: { ...handlers, wait: () => passed.passed as never } })
    const handle = await start({ blocks: [code('a'), code('b', 'wait'), code('c'), code('d')] })
    await until(async () => (await streamOf(memory)).length === 6)
    const early = collect(handle.events())
    const late = collect(handle.events({ after: 4 }))
    await until(() => clock.pendingTimers >= 2) // both wait for more
    passed.open()
    const [all, rest] = await settle(Promise.all([early, late]), clock)
    expect(all.map(({ seq }) => seq)).toEqual((await streamOf(memory)).map(({ seq }) => seq))
    expect(rest.map(({ seq }) => seq)).toEqual(all.map(({ seq }) => seq).slice(4))
    expect(all.at(-1)?.type).toBe('run.completed')
    expect(clock.pendingTimers).toBe(0)
  })

  it('of a run that ended long ago end too, also for who has seen them all', async () => {
    const { start, engine, clock } = await startEngine()
    const handle = await start({ blocks: [code('a')] })
    await settle(handle.result(), clock)
    await clock.advance(3_600_000)
    const all = await collect(handle.events())
    expect(types(all).at(-1)).toBe('run.completed')
    expect(await collect(handle.events({ after: all.length }))).toEqual([])
    expect(await collect(engine.events({ workflowRunId: handle.workflowRunId, after: all.length - 1 }))).toHaveLength(1)
    expect(clock.pendingTimers).toBe(0)
  })

  it('end with the reason of their signal, and with the reader’s own break', async () => {
    const { start, clock } = await startEngine({ handlers: { wait: () => new Promise(() => {}) } })
    const handle = await start({ blocks: [code('a', 'wait')] })
    const control = new AbortController()
    const reading = collect(handle.events({ signal: control.signal }))
    await until(() => clock.pendingTimers > 1)
    control.abort(new Error('enough'))
    await expect(reading).rejects.toThrow('enough')
    for await (const event of handle.events()) if (event.type === 'run.started') break
    await handle.cancel()
    await settle(handle.result(), clock)
    expect(clock.pendingTimers).toBe(0)
  })

  it('need a run', async () => {
    const { engine } = await startEngine()
    expect((await failure(collect(engine.events({ workflowRunId: 'nobody' })))).code).toBe('RUN_NOT_FOUND')
  })
})

describe('result()', () => {
  it('may be limited in time, or ended by a signal; the run goes on', async () => {
    const { start, clock } = await startEngine()
    const handle = await start({ blocks: [{ type: 'wait', label: 'pause', waitSec: 60 }] })
    const limited = failure(handle.result({ timeoutMs: 1_000 }))
    const control = new AbortController()
    const ended = failure(handle.result({ timeoutMs: 10_000, signal: control.signal }))
    await until(() => clock.pendingTimers >= 3)
    control.abort(new Error('enough'))
    expect(await settle(ended, clock)).toMatchObject({ message: 'enough' })
    expect(await settle(limited, clock)).toMatchObject({ code: 'RUN_WAIT_TIMEOUT' })
    expect((await settle(handle.result(), clock)).status).toBe('completed')
    expect(clock.pendingTimers).toBe(0)
  })
})
