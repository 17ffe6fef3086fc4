import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type BlockResult, completed, defineBlock } from '../../../src/blocks/index.js'
import { BlockFailed, BlockTerminated } from '../../../src/errors/index.js'
import { begun, blockRows, code, gate, handlers, runRow, settle, startEngine, streamOf, types, until } from './kit.js'

/** A handler that never ends by itself; it stops when it is told, unless it is deaf. */
const hangs = ({ signal }: { signal: AbortSignal }) =>
  new Promise<null>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
const isDeaf = () => new Promise<null>(() => {})

describe('a block that throws', () => {
  it.each([
    ['an Error', new Error('it broke'), { status: 'failed', errorCode: 'BLOCK_ERROR' }],
    ['a text', 'it broke', { status: 'failed', errorCode: 'BLOCK_ERROR' }],
    ['BlockFailed', new BlockFailed('it broke', { code: 'MINE' }), { status: 'failed', errorCode: 'MINE' }],
    ['BlockTerminated', new BlockTerminated('it broke', { code: 'MINE' }), { status: 'terminated', errorCode: 'MINE' }],
  ])('%s has not completed, and says why', async (_, error, expected) => {
    const odd = () => {
      throw error
    }
    const { run, memory } = await startEngine({ handlers: { odd } })
    const result = await run({ blocks: [code('a', 'odd')] })
    expect(result).toMatchObject(expected)
    expect(result.failureReason).toContain('it broke')
    expect((await blockRows(memory))[0]).toMatchObject({ ...expected, failureReason: expect.stringContaining('it broke') })
  })

  it('names a handler that is gone, and those that are there', async () => {
    const { engine, world } = await startEngine()
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'A test', definition: { blocks: [code('a', 'noop')] } })
    const other = await startEngine({ handlers: { mine: () => null } }, world)
    await engine.stop()
    const handle = await other.engine.startRun({ workflowPermanentId })
    const result = await handle.result()
    expect(result).toMatchObject({ status: 'failed', errorCode: 'UNKNOWN_HANDLER' })
    expect(result.failureReason).toContain('mine')
  })
})

describe('retries', () => {
  it('repeat failed and terminated attempts with growing pauses; every attempt is a row', async () => {
    const failures = [new Error('one'), new BlockTerminated('two'), new Error('three')]
    const flaky = () => {
      const error = failures.shift()
      if (error !== undefined) throw error
      return 'done'
    }
    const { run, memory, clock } = await startEngine({ handlers: { flaky } })
    const result = await run({ blocks: [code('a', 'flaky', { maxRetries: 3 })] })
    expect(result).toMatchObject({ status: 'completed', outputs: { a_output: 'done' }, errors: [] })
    expect((await blockRows(memory)).map(({ attempt, status, durationMs }) => [attempt, status, durationMs])).toEqual([
      [1, 'failed', 0],
      [2, 'terminated', 0],
      [3, 'failed', 0],
      [4, 'completed', 0],
    ])
    const retried = (await streamOf(memory)).filter(({ type }) => type === 'block.retried')
    expect(retried.map(({ payload }) => (payload as { delayMs: number }).delayMs)).toEqual([500, 1_000, 2_000])
    expect(clock.monotonicMs()).toBe(3_500)
  })

  it('end with the last attempt', async () => {
    const { run, events } = await startEngine()
    const result = await run({ blocks: [code('a', 'fail', { maxRetries: 2 })] })
    expect(result.status).toBe('failed')
    expect(result.errors).toHaveLength(1)
    expect(types(events).filter((type) => type.startsWith('block.'))).toEqual([
      'block.started',
      'block.retried',
      'block.started',
      'block.retried',
      'block.started',
      'block.failed',
    ])
  })

  it('never pause longer than half a minute', async () => {
    const { run, memory } = await startEngine()
    await run({ blocks: [code('a', 'fail', { maxRetries: 8 })] })
    const retried = (await streamOf(memory)).filter(({ type }) => type === 'block.retried')
    expect(Math.max(...retried.map(({ payload }) => (payload as { delayMs: number }).delayMs))).toBe(30_000)
  })

  it('are not for time-outs', async () => {
    const { run, events } = await startEngine({ handlers: { hangs } })
    const result = await run({ blocks: [code('a', 'hangs', { maxRetries: 3, timeoutSeconds: 2 })] })
    expect(result).toMatchObject({ status: 'failed', errorCode: 'BLOCK_TIMED_OUT' })
    expect(begun(events)).toEqual(['a'])
  })
})

describe('a block’s deadline', () => {
  it('ends the attempt: the block has timed out, the run has failed', async () => {
    const { run, memory, clock } = await startEngine({ handlers: { hangs } })
    const result = await run({ blocks: [code('a', 'hangs', { timeoutSeconds: 90 })] })
    expect(result).toMatchObject({ status: 'failed', errorCode: 'BLOCK_TIMED_OUT', durationSeconds: 90 })
    expect((await blockRows(memory))[0]).toMatchObject({ status: 'timed_out', durationMs: 90_000 })
    expect(types(await streamOf(memory))).toContain('block.timed_out')
    expect(clock.pendingTimers).toBe(0)
  })

  it('is the engine’s where the block names none', async () => {
    const { run, clock } = await startEngine({ handlers: { hangs }, blockTimeoutSeconds: 5 })
    expect((await run({ blocks: [code('a', 'hangs')] })).errorCode).toBe('BLOCK_TIMED_OUT')
    expect(clock.monotonicMs()).toBe(5_000)
  })

  it('leaves a block behind that does not stop in a quarter of a second', async () => {
    const { run, clock } = await startEngine({ handlers: { isDeaf, ...handlers } })
    const result = await run({ blocks: [code('a', 'isDeaf', { timeoutSeconds: 1, continueOnFailure: true }), code('b')] })
    expect(result.status).toBe('completed')
    expect(clock.monotonicMs()).toBe(1_250)
  })

  it('of a loop keeps the iterations that it had begun', async () => {
    let calls = 0
    const third = (params: { signal: AbortSignal }) => (++calls === 3 ? hangs(params) : null)
    const { run, memory } = await startEngine({ handlers: { third } })
    const loop = { type: 'while_loop' as const, label: 'loop', condition: { type: 'jinja2_template' as const, expression: 'yes' } }
    const result = await run({ blocks: [{ ...loop, timeoutSeconds: 3, loopBlocks: [code('x', 'third')] }] })
    expect(result).toMatchObject({ status: 'failed', errorCode: 'BLOCK_TIMED_OUT' })
    const [row] = await blockRows(memory)
    expect(row).toMatchObject({
      status: 'timed_out',
      output: [[{ status: 'completed' }], [{ status: 'completed' }], [{ status: 'timed_out' }]],
    })
  })

  it('of a loop with a deaf child ends child and loop once, in this order', async () => {
    const { run, memory } = await startEngine({ handlers: { isDeaf } })
    const loop = { type: 'while_loop' as const, label: 'loop', condition: { type: 'jinja2_template' as const, expression: 'yes' } }
    await run({ blocks: [{ ...loop, timeoutSeconds: 3, loopBlocks: [code('x', 'isDeaf')] }] })
    const ends = (await streamOf(memory)).filter(({ type }) => type === 'block.timed_out')
    expect(ends.map(({ payload }) => (payload as { label: string }).label)).toEqual(['x', 'loop'])
  })
})

describe('what a block leaves behind', () => {
  it('acts no more: its signal aborts when the attempt has ended', async () => {
    let left: AbortSignal | undefined
    const { run } = await startEngine({
      handlers: {
        leave: ({ signal }) => {
          left = signal
          return null
        },
      },
    })
    await run({ blocks: [code('a', 'leave')] })
    expect(left?.aborted).toBe(true)
  })

  it('progresses no more', async () => {
    const late = gate()
    let again: Promise<void> | undefined
    const lingering = defineBlock({
      type: 'lingering',
      schema: z.strictObject({}),
      execute: async (_, context) => {
        again = late.passed.then(() => context.progress(['late'], 2, 2))
        await context.progress(['early'], 1, 2)
        return completed(['done'])
      },
    })
    const pass = async () => {
      late.open()
      await again
    }
    const { run, memory } = await startEngine({ blocks: [lingering as never], handlers: { pass } })
    await run({ blocks: [{ type: 'lingering', label: 'a' } as never, code('b', 'pass')] })
    expect((await blockRows(memory))[0]?.output).toEqual(['done'])
    expect(types(await streamOf(memory)).filter((type) => type === 'block.progressed')).toHaveLength(1)
  })
})

describe('a block type of the host’s own', () => {
  const shout = defineBlock({
    type: 'shout',
    schema: z.strictObject({ text: z.string() }),
    execute: async (block, context) => completed(context.render(block.text).toUpperCase()),
  })

  it('gets what the built-in ones get', async () => {
    const { run } = await startEngine({ blocks: [shout as never] })
    const result = await run({ blocks: [{ type: 'shout', label: 'a', text: 'hello {{ workflow_title }}' } as never] })
    expect(result.outputs).toEqual({ a_output: 'HELLO A TEST' })
  })

  it('cannot take a name that is taken', async () => {
    await expect(startEngine({ blocks: [{ ...shout, type: 'wait' } as never] })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  it('that gives no JSON fails, instead of leaving the run without an end', async () => {
    const odd = defineBlock({ type: 'odd', schema: z.strictObject({}), execute: async () => completed((() => 1) as never) })
    const { run } = await startEngine({ blocks: [odd as never] })
    expect(await run({ blocks: [{ type: 'odd', label: 'a' } as never] })).toMatchObject({ status: 'failed', errorCode: 'OUTPUT_NOT_JSON' })
  })

  it('that stops in time keeps what it gives when its deadline ends it', async () => {
    const slow = defineBlock({
      type: 'slow',
      schema: z.strictObject({}),
      execute: async (_, context) => {
        await context.sleep(60_000).catch(() => {})
        return { status: 'failed', failureReason: 'stopped', errorCode: null, output: ['half'] }
      },
    })
    const { run, memory } = await startEngine({ blocks: [slow as never] })
    await run({ blocks: [{ type: 'slow', label: 'a', timeoutSeconds: 1 } as never] })
    expect((await blockRows(memory))[0]).toMatchObject({ status: 'timed_out', errorCode: 'BLOCK_TIMED_OUT', output: ['half'] })
  })

  it('that puts nonsense where files are expected does not spoil the result', async () => {
    const odd = () => ({ downloadedFiles: [1, { artifactId: 'x' }], screenshotArtifactIds: [2, 'art_1'] })
    const { run } = await startEngine({ handlers: { odd } })
    expect(await run({ blocks: [code('a', 'odd')] })).toMatchObject({ downloadedFiles: [], screenshotArtifactIds: ['art_1'] })
  })

  it('that cancels itself cancels the run', async () => {
    const result: BlockResult = { status: 'canceled', failureReason: 'no more', errorCode: null, output: null }
    const stop = defineBlock({ type: 'stop', schema: z.strictObject({}), execute: async () => result })
    const { run } = await startEngine({ blocks: [stop as never] })
    expect((await run({ blocks: [{ type: 'stop', label: 'a', continueOnFailure: true } as never, code('b')] })).status).toBe('canceled')
  })
})

describe('the elapsed limit', () => {
  it('of the workflow times the run out', async () => {
    const { run, memory, clock } = await startEngine({ handlers: { hangs } })
    const result = await run({ blocks: [code('a', 'hangs')] }, { workflow: { maxElapsedTimeMinutes: 2 } })
    expect(result).toMatchObject({ status: 'timed_out', errorCode: 'RUN_TIMED_OUT', durationSeconds: 120 })
    expect((await blockRows(memory))[0]?.status).toBe('timed_out')
    expect(types(await streamOf(memory)).at(-1)).toBe('run.timed_out')
    expect(clock.pendingTimers).toBe(0)
  })

  it('is four hours by default', async () => {
    const { run } = await startEngine({ handlers: { hangs } })
    expect((await run({ blocks: [code('a', 'hangs')] })).durationSeconds).toBe(240 * 60)
  })

  it('is not put off by failures that may be passed over, nor by a pause before a retry', async () => {
    const { run } = await startEngine({ handlers: { ...handlers, hangs } })
    const definition = { blocks: [code('a', 'hangs', { continueOnFailure: true }), code('b')] }
    expect((await run(definition, { workflow: { maxElapsedTimeMinutes: 1 } })).status).toBe('timed_out')
    const retried = { blocks: [code('a', 'fail', { maxRetries: 100 })] }
    expect(await run(retried, { workflow: { maxElapsedTimeMinutes: 1 } })).toMatchObject({ status: 'timed_out', durationSeconds: 60 })
  })

  it('holds for the set-up too: a provider that does not answer', async () => {
    const { run } = await startEngine({ credentials: { vault: { get: () => new Promise(() => {}) } } })
    const parameters = [{ kind: 'secret' as const, key: 'KEY', provider: 'vault', name: 'x' }]
    expect((await run({ parameters, blocks: [code('a')] }, { workflow: { maxElapsedTimeMinutes: 1 } })).status).toBe('timed_out')
  })
})

describe('the finally block', () => {
  const last = (handler = 'noop', more: object = {}) => code('last', handler, more)
  const terminate = () => {
    throw new BlockTerminated('enough')
  }

  it.each([
    ['completed', 'noop'],
    ['failed', 'fail'],
    ['terminated', 'terminate'],
  ])('runs after a walk that %s, and changes nothing by succeeding', async (status, handler) => {
    const { run, events } = await startEngine({ handlers: { ...handlers, terminate } })
    const result = await run({ blocks: [code('a', handler), last()], finallyBlockLabel: 'last' })
    expect(result.status).toBe(status)
    expect(begun(events)).toEqual(['a', 'last'])
  })

  it('runs after the elapsed limit, with a budget of its own', async () => {
    const { run, events, clock } = await startEngine({ handlers: { ...handlers, hangs } })
    const workflow = { maxElapsedTimeMinutes: 1, finallyTimeoutSeconds: 30 }
    const result = await run({ blocks: [code('a', 'hangs'), last('hangs')], finallyBlockLabel: 'last' }, { workflow })
    expect(result).toMatchObject({ status: 'timed_out', durationSeconds: 90 })
    expect(begun(events)).toEqual(['a', 'last'])
    expect(clock.pendingTimers).toBe(0)
  })

  it('has five minutes by default', async () => {
    const { run } = await startEngine({ handlers: { ...handlers, hangs } })
    const result = await run({ blocks: [code('a'), last('hangs')], finallyBlockLabel: 'last' })
    expect(result).toMatchObject({ status: 'failed', errorCode: 'FINALLY_TIMED_OUT', durationSeconds: 300 })
  })

  it.each([
    ['noop', 'fail', 'failed', 'BLOCK_ERROR'],
    ['noop', 'terminate', 'terminated', 'BLOCK_TERMINATED'],
    ['fail', 'terminate', 'failed', 'BLOCK_ERROR'],
    ['terminate', 'fail', 'terminated', 'BLOCK_TERMINATED'],
  ])('after %s that ends with %s makes the run %s', async (walk, ending, status, errorCode) => {
    const { run } = await startEngine({ handlers: { ...handlers, terminate } })
    const result = await run({ blocks: [code('a', walk), last(ending)], finallyBlockLabel: 'last' })
    expect(result).toMatchObject({ status, errorCode })
  })

  it('that may fail preserves success, also when its time is over between two attempts', async () => {
    const { run } = await startEngine()
    const may = { continueOnFailure: true }
    expect((await run({ blocks: [code('a'), last('fail', may)], finallyBlockLabel: 'last' })).status).toBe('completed')
    const retried = { blocks: [code('a'), last('fail', { ...may, maxRetries: 100 })], finallyBlockLabel: 'last' }
    expect((await run(retried)).status).toBe('completed')
  })

  it('whose time is over between two attempts leaves a pending outcome as it is', async () => {
    const { run } = await startEngine({ handlers: { ...handlers, terminate } })
    const blocks = [code('a', 'terminate'), last('fail', { maxRetries: 100 })]
    const result = await run({ blocks, finallyBlockLabel: 'last' }, { workflow: { finallyTimeoutSeconds: 10 } })
    expect(result).toMatchObject({ status: 'terminated', durationSeconds: 10 })
  })

  it('finds the pending outcome on the row while the run is still running', async () => {
    const passed = gate()
    const { start, memory, clock } = await startEngine({ handlers: { ...handlers, wait: () => passed.passed as never } })
    const handle = await start({ blocks: [code('a', 'fail'), last('wait')], finallyBlockLabel: 'last' })
    await until(async () => (await blockRows(memory)).length === 2)
    expect(await runRow(memory)).toMatchObject({
      status: 'running',
      pendingOutcome: { kind: 'failed', errorCode: 'BLOCK_ERROR', reason: expect.stringContaining('it broke') },
    })
    passed.open()
    await settle(handle.result(), clock)
    expect(await runRow(memory)).toMatchObject({ status: 'failed', pendingOutcome: null })
  })

  it('does not run after a cancel', async () => {
    const { start, events, clock } = await startEngine({ handlers: { ...handlers, hangs } })
    const handle = await start({ blocks: [code('a', 'hangs'), last()], finallyBlockLabel: 'last' })
    await until(() => begun(events).length === 1)
    await handle.cancel()
    expect((await settle(handle.result(), clock)).status).toBe('canceled')
    expect(begun(events)).toEqual(['a'])
  })

  it.each(['noop', 'fail'])('is ended by a cancel meanwhile, which cancels the run whatever was pending (%s)', async (walk) => {
    const { start, events, memory, clock } = await startEngine({ handlers: { ...handlers, hangs } })
    const handle = await start({ blocks: [code('a', walk), last('hangs')], finallyBlockLabel: 'last' })
    await until(() => begun(events).length === 2)
    await handle.cancel({ by: 'me' })
    expect(await settle(handle.result(), clock)).toMatchObject({ status: 'canceled', failureReason: 'canceled by me' })
    expect((await blockRows(memory)).at(-1)?.status).toBe('canceled')
  })

  it('does not run when the run could not be set up', async () => {
    const { run, events } = await startEngine()
    const parameters = [{ kind: 'secret' as const, key: 'KEY', provider: 'vault', name: 'x' }]
    const result = await run({ parameters, blocks: [code('a'), last()], finallyBlockLabel: 'last' })
    expect(result).toMatchObject({ status: 'failed', errorCode: 'CREDENTIAL_NOT_FOUND' })
    expect(begun(events)).toEqual([])
  })

  it('is no part of the walk: what leads to it ends the walk', async () => {
    const { run, events } = await startEngine()
    await run({ blocks: [code('a', 'noop', { nextBlockLabel: 'last' }), last()], finallyBlockLabel: 'last' })
    expect(begun(events)).toEqual(['a', 'last'])
  })
})
