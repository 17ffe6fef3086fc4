import { describe, expect, it } from 'vitest'
import type { Attributes, Span, Tracer } from '../../../src/engine/run-ports.js'
import { RunTracing } from '../../../src/engine/telemetry/run-tracing.js'
import { type AnyEvent, type EventPayload, type EventType, TypedBus } from '../../../src/events/index.js'
import type { Meter, MeterAttributes, ObservableResult } from '../../../src/index.js'
import { silentLogger } from '../../../src/runtime/index.js'
import { FakeClock } from '../../../src/testing/index.js'
import { code, type Definition, gate, settle, startEngine, startHost, until } from './kit.js'

class FakeSpan implements Span {
  readonly name: string
  readonly attributes: Record<string, string | number | boolean>
  readonly startTime: Date | undefined
  readonly isRoot: boolean
  readonly parent: FakeSpan | null
  readonly exceptions: Error[] = []
  status: { code: number; message?: string } = { code: 0 }
  endTime: Date | null = null

  constructor(name: string, options: Parameters<Tracer['startSpan']>[1], parent: FakeSpan | null) {
    this.name = name
    this.attributes = { ...options?.attributes }
    this.startTime = options?.startTime
    this.isRoot = options?.root === true
    this.parent = parent
  }

  setAttribute = (key: string, value: string | number | boolean) => {
    this.attributes[key] = value
  }
  setStatus = (status: { code: number; message?: string }) => {
    this.status = status
  }
  recordException = (exception: Error) => void this.exceptions.push(exception)
  end = (endTime?: Date) => {
    if (this.endTime !== null) throw new Error(`${this.name} ends twice`)
    this.endTime = endTime ?? null
  }
}

class FakeTracer implements Tracer {
  readonly spans: FakeSpan[] = []
  startSpan(name: string, options?: Parameters<Tracer['startSpan']>[1], context?: unknown) {
    const span = new FakeSpan(name, options, (context as { span: FakeSpan } | undefined)?.span ?? null)
    this.spans.push(span)
    return span
  }
  of = (name: string) => this.spans.filter((span) => span.name === `runwright.${name}`)
  block = (label: string) => this.of('block').filter((span) => span.attributes['runwright.block.label'] === label)
}

const spanContext = (span: Span) => ({ span })
const SECRET = 'the value of a parameter'

describe('spans', () => {
  it('are those of a run, its blocks and its actions, each below the other', async () => {
    const tracer = new FakeTracer()
    const site = { 'https://shop.test/': { title: 'Shop', elements: [] } }
    const host = await startHost({ engine: { tracer, spanContext }, driver: { site } })
    const open = { type: 'goto_url' as const, label: 'open', url: 'https://shop.test/' }
    const loop = { type: 'for_loop' as const, label: 'loop', loopOverParameterKey: 'list', loopBlocks: [code('inner')] }
    const parameters = [{ kind: 'workflow' as const, key: 'list', type: 'json' as const }]
    const result = await host.run({ parameters, blocks: [open, loop] } as Definition, { parameters: { list: [1, 2] } })
    expect(result.status).toBe('completed')
    const [run] = tracer.of('run')
    expect(tracer.of('run')).toHaveLength(1)
    expect(run).toMatchObject({ isRoot: true, parent: null, status: { code: 1 } })
    expect(run?.attributes).toEqual({
      'runwright.workflow_run_id': 'wr_1',
      'runwright.organization_id': 'acme',
      'runwright.workflow_permanent_id': 'wpid_1',
      'runwright.run.attempt': 1,
      'runwright.run.status': 'completed',
    })
    expect(tracer.block('open')[0]?.parent).toBe(run)
    expect(
      tracer.block('inner').map(({ parent, attributes }) => [parent === tracer.block('loop')[0], attributes['runwright.block.index']]),
    ).toEqual([
      [true, 0],
      [true, 1],
    ])
    const [action] = tracer.of('action')
    expect(action?.parent).toBe(tracer.block('open')[0])
    expect(action?.attributes).toMatchObject({ 'runwright.action.type': 'goto_url', 'runwright.action.status': 'completed' })
    for (const span of tracer.spans) {
      expect(span.endTime, span.name).toBeInstanceOf(Date)
      expect(Number(span.endTime)).toBeGreaterThanOrEqual(Number(span.startTime))
    }
    const performed = host.events.find(({ type }) => type === 'action.performed') as AnyEvent<'action.performed'>
    expect(action?.endTime).toEqual(performed.at)
    expect(action?.startTime).toEqual(new Date(performed.at.getTime() - performed.payload.durationMs))
  })

  it('tell failures, each attempt its own, and nothing of what a run was given or gave', async () => {
    const tracer = new FakeTracer()
    const handlers = { fail: () => Promise.reject(new Error('it broke')), give: () => SECRET }
    const { run } = await startEngine({ tracer, spanContext, handlers })
    const definition = {
      parameters: [{ kind: 'workflow' as const, key: 'given', type: 'string' as const }],
      blocks: [code('gives', 'give'), code('fails', 'fail', { maxRetries: 1 })],
    }
    await run(definition, { parameters: { given: SECRET } })
    const attempts = tracer.block('fails')
    expect(attempts.map(({ attributes }) => [attributes['runwright.block.attempt'], attributes['runwright.block.status']])).toEqual([
      [1, 'retried'],
      [2, 'failed'],
    ])
    for (const span of [...attempts, ...tracer.of('run')]) {
      expect(span.status.code).toBe(2)
      expect(span.exceptions[0]?.message).toContain('it broke')
      expect(span.exceptions[0]?.name).toBe(span.attributes['runwright.error.code'] ?? 'Error')
    }
    const told = tracer.spans.map(({ attributes, exceptions, status }) => ({ attributes, status, exceptions: exceptions.map(String) }))
    expect(JSON.stringify(told)).not.toContain(SECRET)
  })

  it('of a canceled run went neither well nor badly', async () => {
    const tracer = new FakeTracer()
    const begun = gate()
    const wait = ({ signal }: { signal: AbortSignal }) => {
      begun.open()
      return new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    }
    const { start, clock } = await startEngine({ tracer, handlers: { wait } })
    const handle = await start({ blocks: [code('waits', 'wait')] })
    await begun.passed
    await handle.cancel()
    await settle(handle.result(), clock)
    await until(() => tracer.spans.every(({ endTime }) => endTime !== null))
    expect(tracer.spans.map(({ name, status, exceptions }) => [name, status.code, exceptions.length])).toEqual([
      ['runwright.run', 0, 0],
      ['runwright.block', 0, 0],
    ])
    expect(tracer.spans.every(({ isRoot, parent }) => isRoot && parent === null)).toBe(true) // nobody said how they belong together
  })

  it.each(['startSpan', 'setAttribute', 'setStatus', 'recordException', 'end', 'spanContext'])(
    'never disturb a run: %s throws',
    async (fault) => {
      const warnings: string[] = []
      const throws = () => {
        throw new Error('the exporter is broken')
      }
      const tracer = new FakeTracer()
      const broken: Tracer = {
        startSpan: (...args) =>
          fault === 'startSpan' ? throws() : Object.assign(tracer.startSpan(...args), fault === 'spanContext' ? {} : { [fault]: throws }),
      }
      const logger = { ...silentLogger, warn: (message: string) => void warnings.push(message) }
      const { run } = await startEngine({ tracer: broken, spanContext: fault === 'spanContext' ? throws : spanContext, logger })
      expect((await run({ blocks: [code('one'), code('two', 'fail')] })).status).toBe('failed')
      expect(warnings.filter((message) => message.includes('tracer'))).toHaveLength(1)
    },
  )
})

describe('the tracing of runs that come and go', () => {
  const AT = new Date('2026-01-01T00:00:00Z')
  const after = (seconds: number) => new Date(AT.getTime() + seconds * 1_000)
  const run = { workflowRunId: 'wr_1', workflowPermanentId: 'wpid_1' }
  const block = {
    workflowRunId: 'wr_1',
    runBlockId: 'rb_1',
    parentRunBlockId: null,
    label: 'a',
    type: 'code',
    attempt: 1,
    currentIndex: null,
  }

  function trace() {
    const bus = new TypedBus<never>()
    const tracer = new FakeTracer()
    const tracing = new RunTracing({
      tracer,
      spanContext,
      bus: bus as never,
      clock: new FakeClock({ now: after(100) }),
      logger: silentLogger,
    })
    tracing.start()
    const emit = <T extends EventType>(type: T, at: Date, payload: Partial<EventPayload<T>>) =>
      bus.emit({ type, at, payload, seq: 1, id: 'evt', organizationId: 'org', stream: 'run:wr_1' } as unknown as AnyEvent)
    return { bus, tracer, tracing, emit }
  }

  it('ends a span with the pause, and begins another when the run goes on here', () => {
    const { tracer, tracing, emit } = trace()
    emit('run.started', AT, { ...run, attempt: 1 })
    emit('block.started', after(1), block)
    emit('run.paused', after(2), run)
    expect(tracer.of('run')[0]).toMatchObject({ endTime: after(2), status: { code: 0 }, attributes: { 'runwright.run.status': 'paused' } })
    expect(tracer.block('a')[0]?.endTime).toEqual(after(2))
    emit('run.resumed', after(10), run)
    expect(tracing.openRunCount).toBe(0) // another host may be the one that goes on
    emit('block.started', after(12), { ...block, runBlockId: 'rb_2', label: 'b' })
    expect(tracer.of('run')[1]).toMatchObject({ startTime: after(10), endTime: null })
    expect(tracer.block('b')[0]?.parent).toBe(tracer.of('run')[1])
    emit('run.completed', after(13), { ...run, status: 'completed' })
    expect(tracing.openRunCount).toBe(0)
  })

  it('gives up the spans of a run that was lost when it comes back, and all of them at a stop', () => {
    const { bus, tracer, tracing, emit } = trace()
    emit('run.started', AT, { ...run, attempt: 1 })
    emit('block.started', after(1), block)
    emit('run.recovered', after(50), { ...run, attempt: 2, continues: true })
    const [lost, taken] = tracer.of('run')
    expect(lost).toMatchObject({ endTime: after(100), attributes: { 'runwright.run.abandoned': true } })
    expect(taken).toMatchObject({ startTime: after(50), endTime: null, attributes: { 'runwright.run.attempt': 2 } })
    tracing.stop()
    expect(tracer.spans.every(({ endTime }) => endTime !== null)).toBe(true)
    expect(bus.listenerCount).toBe(0)
  })

  it('opens nothing for runs that end without having begun here', () => {
    const { tracer, emit } = trace()
    emit('run.canceled', AT, { ...run, status: 'canceled' })
    emit('block.completed', AT, { ...block, durationMs: 1 })
    expect(tracer.spans).toEqual([])
  })
})

describe('a meter', () => {
  type Point = readonly [number, MeterAttributes?]

  function fakeMeter() {
    const points = new Map<string, Point[]>()
    const gauges = new Map<string, Set<(result: ObservableResult) => void>>()
    const record = (name: string) => (value: number, attributes?: Attributes) =>
      void points.set(name, [...(points.get(name) ?? []), attributes === undefined ? [value] : [value, attributes]])
    const meter: Meter = {
      createCounter: (name) => ({ add: record(name) }),
      createHistogram: (name) => ({ record: record(name) }),
      createObservableGauge: (name) => {
        const callbacks = new Set<(result: ObservableResult) => void>()
        gauges.set(name, callbacks)
        return { addCallback: (callback) => void callbacks.add(callback), removeCallback: (callback) => void callbacks.delete(callback) }
      },
    }
    const read = (name: string) => {
      const values: number[] = []
      for (const callback of gauges.get(name) ?? []) callback({ observe: (value) => values.push(value) })
      return values
    }
    return { meter, points, read }
  }

  it('counts runs and blocks by how they ended, and reads gauges off the state', async () => {
    const { meter, points, read } = fakeMeter()
    const begun = gate()
    const goOn = gate()
    const handlers = {
      noop: () => null,
      hold: () => Promise.resolve(begun.open()).then(() => goOn.passed),
      fail: () => Promise.reject(new Error('it broke')),
    }
    const { start, run, engine, clock } = await startEngine({ meter, handlers })
    const handle = await start({ blocks: [code('held', 'hold')] })
    await begun.passed
    expect([read('runwright.runs.executing'), read('runwright.webhooks.sending')]).toEqual([[1], [0]])
    await clock.advance(2_000)
    goOn.open()
    await settle(handle.result(), clock)
    await run({ blocks: [code('bad', 'fail', { maxRetries: 1 })] })
    await until(() => read('runwright.runs.executing')[0] === 0)
    expect(points.get('runwright.runs')).toEqual([
      [1, { status: 'completed', runType: 'workflow' }],
      [1, { status: 'failed', runType: 'workflow' }],
    ])
    expect(points.get('runwright.runs.duration')?.[0]).toEqual([2, { status: 'completed' }])
    expect(points.get('runwright.runs.queued.duration')?.[0]).toEqual([0, { status: 'completed' }])
    expect(points.get('runwright.blocks')).toEqual([
      [1, { type: 'code', status: 'completed' }],
      [1, { type: 'code', status: 'retried' }],
      [1, { type: 'code', status: 'failed' }],
    ])
    expect(points.get('runwright.blocks.duration')?.[0]).toEqual([2, { type: 'code', status: 'completed' }])
    await engine.stop()
    expect(read('runwright.runs.executing')).toEqual([])
  })
})
