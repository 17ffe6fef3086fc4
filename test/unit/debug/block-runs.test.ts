import { describe, expect, it } from 'vitest'
import { begun, code, failure, gate, runRow, settle, until } from '../engine/kit.js'
import { handlers, startDebug } from './kit.js'

describe('runBlocks', () => {
  it('runs the blocks on the browser of the debug session, as a run of its own kind', async () => {
    const { open, runBlocks, memory, events } = await startDebug()
    const { debugSessionId, browserSessionId } = await open()
    const result = await runBlocks(debugSessionId, ['a', 'inner'])
    expect(result).toMatchObject({ status: 'completed', runType: 'block', browserSessionId })
    expect(begun(events)).toEqual(['a', 'inner'])
    expect(await runRow(memory)).toMatchObject({ debugSessionId, runWith: 'agent', blockLabels: ['a', 'inner'], ownsSession: false })
    const rows = await memory.find({ table: 'block_runs' })
    expect(rows).toEqual([
      expect.objectContaining({ blockRunId: 'br_1', blockLabel: 'a', outputParameter: 'a_output', userId: 'ada', workflowRunId: 'wr_1' }),
      expect.objectContaining({ blockRunId: 'br_2', blockLabel: 'inner', outputParameter: 'inner_output', debugSessionId }),
    ])
    expect(await memory.get('browser_sessions', browserSessionId)).toMatchObject({ status: 'running', leaseToken: null, uses: 1 })
  })

  it('gives the other blocks their newest outputs, and those that are given before those', async () => {
    const { open, runBlocks, engine, workflowPermanentId } = await startDebug()
    const { debugSessionId } = await open()
    await runBlocks(debugSessionId, ['a'])
    await runBlocks(debugSessionId, ['inner'])
    await runBlocks(debugSessionId, ['b'])
    const seen = await runBlocks(debugSessionId, ['b'], { blockOutputs: { inner: 'given' } })
    // its own former output is no input of a block
    expect(seen.outputs.b_output).toEqual({ a: 1, inner: 'given' })
    const { definition } = await engine.getWorkflow({ workflowPermanentId })
    expect(definition.blocks).toHaveLength(3)
  })

  it('refuses unknown labels before anything else, with nothing written', async () => {
    const { open, debug, memory, pool, clock } = await startDebug()
    const { debugSessionId, browserSessionId } = await open()
    await settle(pool.close({ browserSessionId }), clock)
    const unknown = { code: 'BLOCK_NOT_FOUND', details: expect.objectContaining({ labels: ['nope'] }) }
    expect(await failure(debug.runBlocks({ debugSessionId, labels: ['a', 'nope'] }))).toMatchObject(unknown)
    expect(await failure(debug.runBlocks({ debugSessionId, labels: ['a'], blockOutputs: { nope: 1 } }))).toMatchObject(unknown)
    expect(await memory.count('runs')).toBe(0)
    expect(await failure(debug.runBlocks({ debugSessionId, labels: ['a'] }))).toMatchObject({ code: 'SESSION_ENDED' })
    expect(await failure(debug.runBlocks({ debugSessionId: 'ds_9', labels: ['a'] }))).toMatchObject({ code: 'DEBUG_SESSION_NOT_FOUND' })
    await settle(debug.complete({ debugSessionId }), clock)
    expect(await failure(debug.runBlocks({ debugSessionId, labels: ['a'] }))).toMatchObject({ code: 'DEBUG_SESSION_ENDED' })
    expect(await memory.count('block_runs')).toBe(0)
  })

  it('is refused while a run is on the browser, also by a call at the same moment; with wait it follows', async () => {
    const passed = gate()
    const { open, debug, clock, memory, events } = await startDebug({
      engine: { handlers: { ...handlers, wait: () => passed.passed } as never },
      definition: { blocks: [code('a', 'wait'), code('b', 'one')] },
    })
    const { debugSessionId, browserSessionId } = await open()
    const calls = await settle(
      Promise.allSettled([
        debug.runBlocks({ debugSessionId, labels: ['a'] }),
        debug.runBlocks({ debugSessionId, labels: ['a'] }),
        debug.runBlocks({ debugSessionId, labels: ['a'] }),
      ]),
      clock,
    )
    const started = calls.flatMap((call) => (call.status === 'fulfilled' ? [call.value] : []))
    expect(started).toHaveLength(1)
    const refusals = calls.flatMap((call) => (call.status === 'rejected' ? [call.reason] : []))
    expect(refusals).toEqual([
      expect.objectContaining({ code: 'SESSION_OCCUPIED', holder: expect.objectContaining({ runnableId: started[0]?.workflowRunId }) }),
      expect.objectContaining({ code: 'SESSION_OCCUPIED' }),
    ])
    expect(await memory.count('runs')).toBe(1)
    await until(() => begun(events).length === 1)
    const next = await settle(debug.runBlocks({ debugSessionId, labels: ['b'], wait: { timeoutMs: 60_000 } }), clock)
    expect(begun(events)).toEqual(['a'])
    passed.open()
    expect(await settle(next.result(), clock)).toMatchObject({ status: 'completed', browserSessionId })
    expect(begun(events)).toEqual(['a', 'b'])
  })

  it('is refused while somebody else holds the browser', async () => {
    const { open, debug, pool } = await startDebug()
    const { debugSessionId, browserSessionId } = await open()
    const lease = await pool.occupy({ browserSessionId, runnableType: 'job', runnableId: 'mine' })
    const refusal = await failure(debug.runBlocks({ debugSessionId, labels: ['a'] }))
    expect(refusal).toMatchObject({ code: 'SESSION_OCCUPIED', holder: { runnableType: 'job', runnableId: 'mine' } })
    await lease.release()
  })

  it('puts the end of the browser off', async () => {
    const { open, runBlocks, memory, clock } = await startDebug()
    const { debugSessionId, browserSessionId } = await open()
    await clock.advance(60 * 60_000)
    await runBlocks(debugSessionId, ['a'])
    const browser = await memory.get('browser_sessions', browserSessionId)
    expect(browser?.expiresAt?.getTime()).toBeGreaterThanOrEqual(clock.now().getTime() + 239 * 60_000)
  })

  it('leaves a failed run on record when parameters do not fit', async () => {
    const { open, debug, clock } = await startDebug()
    const { debugSessionId } = await open()
    const refused = await failure(settle(debug.runBlocks({ debugSessionId, labels: ['a'], parameters: { nope: 1 } }), clock))
    expect(refused).toMatchObject({ code: 'UNKNOWN_PARAMETERS', workflowRunId: 'wr_1' })
    expect(await debug.runs(debugSessionId)).toEqual([
      expect.objectContaining({ blockLabel: 'a', status: 'failed', workflowRunId: 'wr_1' }),
    ])
    expect((await debug.runBlocks({ debugSessionId, labels: ['a'] })).workflowRunId).toBe('wr_2')
  })
})

describe('blockOutputs', () => {
  it('gives the newest output of each block whose run completed, of any JSON type, in a constant number of queries', async () => {
    const values: unknown[] = [1, 'text', null, [1, { a: [] }], false]
    const give = { next: undefined as unknown }
    const { open, runBlocks, debug, place, memory, clock } = await startDebug({
      engine: {
        handlers: {
          ...handlers,
          give: () => {
            if (give.next instanceof Error) throw give.next
            return give.next
          },
        } as never,
      },
      definition: {
        parameters: [{ kind: 'workflow', key: 'list', type: 'json', default: [7] }],
        blocks: [
          ...values.map((_, index) => code(`v${index}`, 'give')),
          { type: 'for_loop', label: 'loop', loopOverParameterKey: 'list', loopBlocks: [code('inner', 'give')] },
          code('never', 'give'),
        ],
      },
    })
    const { debugSessionId } = await open()
    expect(await debug.blockOutputs(place)).toEqual({})
    for (const [index, value] of values.entries()) {
      give.next = 'older'
      await runBlocks(debugSessionId, [`v${index}`])
      await clock.advance(1_000)
      give.next = value
      await runBlocks(debugSessionId, [`v${index}`])
    }
    give.next = { deep: [true] }
    await runBlocks(debugSessionId, ['inner'])
    give.next = new Error('it broke')
    await runBlocks(debugSessionId, ['v0'])
    await runBlocks(debugSessionId, ['never'])
    const finds: string[] = []
    const find = memory.find.bind(memory)
    memory.find = ((params: { table: string }) => {
      finds.push(params.table)
      return find(params as never)
    }) as never
    expect(await debug.blockOutputs(place)).toEqual({
      ...Object.fromEntries(values.map((value, index) => [`v${index}`, value])),
      inner: { deep: [true] },
    })
    expect(finds).toEqual(['workflows', 'block_runs', 'runs'])
  })

  it('is of one user, and of the blocks of one version', async () => {
    const { open, runBlocks, debug, place, engine, workflowPermanentId } = await startDebug()
    const { debugSessionId } = await open()
    await runBlocks(debugSessionId, ['a'])
    expect(await debug.blockOutputs(place)).toEqual({ a: 1 })
    expect(await debug.blockOutputs({ ...place, userId: 'bob' })).toEqual({})
    await engine.updateWorkflow({ workflowPermanentId, definition: { blocks: [code('b', 'sees')] } })
    expect(await debug.blockOutputs(place)).toEqual({})
    expect(await debug.blockOutputs({ ...place, version: 1 })).toEqual({ a: 1 })
    expect((await runBlocks(debugSessionId, ['b'])).outputs.b_output).toEqual({})
  })

  it('finds what a hundred newer runs of another block lie upon', async () => {
    const { open, runBlocks, debug, place, memory } = await startDebug()
    const { debugSessionId } = await open()
    await runBlocks(debugSessionId, ['a'])
    const [row] = await memory.find({ table: 'block_runs' })
    if (row === undefined) throw new Error('no block run')
    const newer = Array.from({ length: 250 }, (_, index) => ({
      op: 'insert' as const,
      table: 'block_runs' as const,
      row: {
        ...row,
        blockRunId: `br_x${index}`,
        blockLabel: index % 2 ? 'b' : 'a',
        workflowRunId: 'wr_gone',
        createdAt: new Date('2027-01-01'),
      },
    }))
    await memory.commit(newer)
    expect(await debug.blockOutputs(place)).toEqual({ a: 1 })
  })
})

describe('runs', () => {
  it('gives the blocks of a debug session newest first, with the status of their runs, a page at a time', async () => {
    const { open, runBlocks, debug } = await startDebug({
      definition: { blocks: [code('a', 'one'), code('b', 'fail')] },
    })
    const { debugSessionId } = await open()
    expect(await debug.runs(debugSessionId)).toEqual([])
    await runBlocks(debugSessionId, ['a'])
    await runBlocks(debugSessionId, ['b'])
    await runBlocks(debugSessionId, ['a', 'b'])
    const runs = await debug.runs(debugSessionId)
    expect(runs.map(({ blockLabel, status, workflowRunId }) => `${blockLabel} ${status} ${workflowRunId}`)).toEqual([
      'b failed wr_3',
      'a failed wr_3',
      'b failed wr_2',
      'a completed wr_1',
    ])
    const [first] = await debug.runs({ debugSessionId, limit: 1 })
    const [second] = await debug.runs({ debugSessionId, limit: 1, after: first?.blockRunId ?? '' })
    expect([first, second]).toEqual(runs.slice(0, 2))
    expect(await failure(debug.runs('ds_9'))).toMatchObject({ code: 'DEBUG_SESSION_NOT_FOUND' })
  })
})
