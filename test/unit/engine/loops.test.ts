import { describe, expect, it } from 'vitest'
import type { BlockInput } from '../../../src/definition/index.js'
import { BlockTerminated } from '../../../src/errors/index.js'
import { begun, blockRows, code, handlers, startEngine } from './kit.js'

const parameters = [{ kind: 'workflow' as const, key: 'list', type: 'json' as const, default: ['a', 'b', 'c'] as (string | null)[] }]
const forLoop = (loopBlocks: BlockInput[], more: object = {}): BlockInput => ({
  type: 'for_loop',
  label: 'loop',
  loopOverParameterKey: 'list',
  loopBlocks,
  ...more,
})
const validation = (label: string, completeCriterion: string, more: object = {}): BlockInput => ({
  type: 'validation',
  label,
  completeCriterion,
  ...more,
})
const range = (length: number) => Array.from({ length }, (_, index) => index)

describe('a for_loop', () => {
  it('runs its children once a value, and gives one list an iteration', async () => {
    const { run, memory } = await startEngine({ handlers: { n: () => 1 } })
    const result = await run({ parameters, blocks: [forLoop([code('x', 'n'), code('y', 'n')])] })
    expect(result.outputs.loop_output).toEqual(
      ['a', 'b', 'c'].map((loopValue) => [
        { label: 'x', loopValue, output: 1, status: 'completed' },
        { label: 'y', loopValue, output: 1, status: 'completed' },
      ]),
    )
    const rows = await blockRows(memory)
    const [loop, ...children] = rows
    expect(children.every(({ parentRunBlockId }) => parentRunBlockId === loop?.runBlockId)).toBe(true)
    expect(children.map(({ label, currentIndex, currentValue }) => [label, currentIndex, currentValue])).toEqual([
      ['x', 0, 'a'],
      ['y', 0, 'a'],
      ['x', 1, 'b'],
      ['y', 1, 'b'],
      ['x', 2, 'c'],
      ['y', 2, 'c'],
    ])
  })

  it('sets current_index, current_value and current_item; an inner loop shadows and restores them', async () => {
    const { run } = await startEngine()
    const inner: BlockInput = {
      type: 'for_loop',
      label: 'inner',
      loopOverParameterKey: 'inner_list',
      loopBlocks: [validation('in', '{{ current_value == 7 and current_item == 7 and current_index == 0 }}')],
    }
    const own = "{{ ['a', 'b', 'c'][current_index] == current_value and current_item == current_value }}"
    const result = await run({
      parameters: [...parameters, { kind: 'workflow', key: 'inner_list', type: 'json', default: [7] }],
      blocks: [forLoop([validation('before', own), inner, validation('after', own)]), validation('outside', '{{ not current_value }}')],
    })
    expect(result.failureReason).toBeNull()
  })

  it('sees nothing of iteration 1 in iteration 2; after it, the last iteration’s values stay', async () => {
    const { run } = await startEngine({ handlers: { where: ({ outputs }) => Object.keys(outputs) } })
    const result = await run({ parameters, blocks: [forLoop([code('x', 'where'), code('y', 'where')]), code('after', 'where')] })
    expect(result.outputs.loop_output).toMatchObject(['a', 'b', 'c'].map(() => [{ output: [] }, { output: ['x'] }]))
    expect(result.outputs).toMatchObject({ after_output: ['x', 'y', 'loop'], x_output: [], y_output: ['x'] })
  })

  it.each([
    ['a list', [1, 2], [1, 2]],
    ['one value', 'one', ['one']],
    ['an object', { a: 1 }, [{ a: 1 }]],
    ['an extraction', { extractedInformation: [1, 2], status: 'completed' }, [1, 2]],
    ['an extraction with results', { extractedInformation: { results: [1], more: 2 } }, [1]],
    ['a foreign extraction', { extracted_information: [3] }, [3]],
    ['results', { results: [4, 5] }, [4, 5]],
    ['false, which is a value', false, [false]],
    ['zero, which is a value', 0, [0]],
  ])('loops over %s', async (_, value, expected) => {
    const { run } = await startEngine({ handlers: { ...handlers, give: () => value as never } })
    const loop = forLoop([code('x')], { loopOverParameterKey: undefined, loopVariableReference: '{{ give_output }}' })
    const result = await run({ blocks: [code('give', 'give'), loop] })
    expect((result.outputs.loop_output as { loopValue: unknown }[][]).map(([child]) => child?.loopValue)).toEqual(expected)
  })

  it.each([
    ['null', null],
    ['an empty list', []],
    ['an extraction of nothing', { extractedInformation: null }],
    ['empty results', { results: [] }],
  ])('with %s terminates, or completes when it may', async (_, value) => {
    const { run } = await startEngine({ handlers: { ...handlers, give: () => value as never } })
    const loop = (completeIfEmpty: boolean) =>
      forLoop([code('x')], { loopOverParameterKey: undefined, loopVariableReference: 'give', completeIfEmpty })
    expect(await run({ blocks: [code('give', 'give'), loop(false)] })).toMatchObject({
      status: 'terminated',
      errorCode: 'NOTHING_TO_LOOP_OVER',
    })
    expect(await run({ blocks: [code('give', 'give'), loop(true)] })).toMatchObject({ status: 'completed', outputs: { loop_output: [] } })
  })

  it('terminates over a path that leads nowhere', async () => {
    const { run } = await startEngine()
    const loop = forLoop([code('x')], { loopOverParameterKey: undefined, loopVariableReference: 'a_output.rows.list' })
    expect((await run({ blocks: [code('a'), loop] })).status).toBe('terminated')
  })

  it('goes on at the next child after a swallowed failure, and is completed with it in its output', async () => {
    const { run, events } = await startEngine()
    const result = await run({ parameters, blocks: [forLoop([code('x', 'fail', { continueOnFailure: true }), code('y')])] })
    expect(result.status).toBe('completed')
    expect(begun(events)).toEqual(['loop', 'x', 'y', 'x', 'y', 'x', 'y'])
    const [first] = result.outputs.loop_output as unknown[][]
    expect(first).toEqual([
      { label: 'x', loopValue: 'a', output: null, status: 'failed', failureReason: '"x": it broke' },
      { label: 'y', loopValue: 'a', output: null, status: 'completed' },
    ])
    expect(result.errors).toHaveLength(3)
  })

  it.each([
    ['the child', { nextLoopOnFailure: true }, {}],
    ['the loop', {}, { nextLoopOnFailure: true }],
  ])('goes on at the next iteration when %s says so', async (_, child, loop) => {
    const { run, events } = await startEngine()
    const result = await run({ parameters, blocks: [forLoop([code('x', 'fail', child), code('y')], loop)] })
    expect(result.status).toBe('completed')
    expect(begun(events)).toEqual(['loop', 'x', 'x', 'x'])
  })

  it('stops with the child’s status otherwise, and keeps every iteration begun', async () => {
    let calls = 0
    const end = () => {
      if (++calls === 2) throw new BlockTerminated('enough', { code: 'ENOUGH' })
      return null
    }
    const { run, memory } = await startEngine({ handlers: { ...handlers, end } })
    const result = await run({ parameters, blocks: [forLoop([code('x', 'end'), code('y')])] })
    expect(result).toMatchObject({ status: 'terminated', errorCode: 'ENOUGH', outputs: { loop_output: null } })
    const [loop] = await blockRows(memory)
    expect(loop).toMatchObject({ status: 'terminated', failureReason: expect.stringContaining('Iteration 1, block "x": enough') })
    expect(loop?.output).toMatchObject([[{ label: 'x' }, { label: 'y' }], [{ label: 'x', status: 'terminated', failureReason: 'enough' }]])
  })

  it('is progressed at iteration 1, every 10th, the last, and at an early end', async () => {
    const progressOf = async (length: number, failAt = -1) => {
      let index = 0
      const { run, events } = await startEngine({
        handlers: {
          step: () => {
            if (index++ === failAt) throw new Error('it broke')
          },
        },
      })
      await run({ parameters, blocks: [forLoop([code('x', 'step')])] }, { parameters: { list: range(length) } })
      return events.flatMap((event) => {
        if (event.type !== 'block.progressed') return []
        const { done, total } = event.payload as { done: number; total: number }
        return [[done, total]]
      })
    }
    expect(await progressOf(1)).toEqual([[1, 1]])
    expect(await progressOf(20)).toEqual([
      [1, 20],
      [10, 20],
      [20, 20],
    ])
    expect(await progressOf(23)).toEqual([
      [1, 23],
      [10, 23],
      [20, 23],
      [23, 23],
    ])
    expect(await progressOf(9, 4)).toEqual([
      [1, 9],
      [5, 9],
    ])
  })

  it('runs 1,000 values, and fails at the 1,001st with its output kept, whatever its flags', async () => {
    const { run, memory } = await startEngine()
    const loop = forLoop([code('x')], { nextLoopOnFailure: true })
    expect((await run({ parameters, blocks: [loop] }, { parameters: { list: range(1_000) } })).status).toBe('completed')
    const result = await run({ parameters, blocks: [loop] }, { parameters: { list: range(1_001) } })
    expect(result).toMatchObject({ status: 'failed', errorCode: 'LOOP_TOO_LONG' })
    const [row] = await memory.find({ table: 'run_blocks', where: { workflowRunId: 'wr_2', label: 'loop' } })
    expect(row?.output).toHaveLength(1_000)
  }, 60_000)

  it('runs 50 blocks in one iteration, and not 51; retries count once', async () => {
    const { run, events } = await startEngine()
    const body = (length: number) => range(length).map((index) => code(`x${index}`))
    const list = { parameters: { list: [1] } }
    expect((await run({ parameters, blocks: [forLoop(body(50))] }, list)).status).toBe('completed')
    const tooMany = await run({ parameters, blocks: [forLoop(body(51), { nextLoopOnFailure: true })] }, list)
    expect(tooMany).toMatchObject({ status: 'failed', errorCode: 'LOOP_TOO_LONG' })
    expect(begun(events).filter((label) => label === 'x50')).toEqual([])
    const retried = [...body(49), code('again', 'fail', { maxRetries: 3, continueOnFailure: true })]
    expect((await run({ parameters, blocks: [forLoop(retried)] }, list)).status).toBe('completed')
  })

  it('counts only its own children: those of an inner loop are the inner loop’s', async () => {
    const { run } = await startEngine()
    const inner = {
      type: 'for_loop' as const,
      label: 'inner',
      loopOverParameterKey: 'list',
      loopBlocks: range(30).map((n) => code(`i${n}`)),
    }
    const result = await run({ parameters, blocks: [forLoop([inner, ...range(30).map((n) => code(`o${n}`))])] })
    expect(result.status).toBe('completed')
  })

  it('starts again when it is retried', async () => {
    let calls = 0
    const flaky = () => {
      if (++calls === 2) throw new Error('once')
      return calls
    }
    const { run, events } = await startEngine({ handlers: { flaky } })
    const result = await run({ parameters, blocks: [forLoop([code('x', 'flaky')], { maxRetries: 1 })] })
    expect(result.status).toBe('completed')
    expect(begun(events)).toEqual(['loop', 'x', 'x', 'loop#2', 'x', 'x', 'x'])
  })

  it('takes conditionals in its body as the top level does', async () => {
    const { run, events } = await startEngine()
    const branches = [
      { criteria: { type: 'jinja2_template' as const, expression: "{{ current_value == 'b' }}" }, nextBlockLabel: 'special' },
      { isDefault: true, nextBlockLabel: null },
    ]
    await run({
      parameters,
      blocks: [forLoop([{ type: 'conditional', label: 'which', nextBlockLabel: 'join', branches }, code('special'), code('join')])],
    })
    expect(begun(events)).toEqual(['loop', 'which', 'join', 'which', 'special', 'join', 'which', 'join'])
  })
})

describe('a while_loop', () => {
  const whileLoop = (expression: string, loopBlocks: BlockInput[], more: object = {}): BlockInput => ({
    type: 'while_loop',
    label: 'loop',
    condition: { type: 'jinja2_template', expression },
    loopBlocks,
    ...more,
  })

  it('runs for as long as its condition holds, with current_index in it', async () => {
    const { run, events } = await startEngine()
    const result = await run({ blocks: [whileLoop('{{ current_index < 3 }}', [code('x')])] })
    expect(begun(events)).toEqual(['loop', 'x', 'x', 'x'])
    expect(result.outputs.loop_output).toEqual(range(3).map(() => [{ label: 'x', loopValue: null, output: null, status: 'completed' }]))
  })

  it('that is false at first completes with nothing', async () => {
    const { run } = await startEngine()
    expect(await run({ blocks: [whileLoop('no', [code('x')])] })).toMatchObject({ status: 'completed', outputs: { loop_output: [] } })
  })

  it('asks its condition of the iteration just ended, though the next body does not see it', async () => {
    let calls = 0
    const { run } = await startEngine({ handlers: { count: ({ outputs }) => ({ n: ++calls, seen: Object.keys(outputs) }) } })
    const result = await run({ blocks: [whileLoop('{{ not x or x.n < 3 }}', [code('x', 'count')])] })
    expect(result.outputs.loop_output).toMatchObject([1, 2, 3].map((n) => [{ output: { n, seen: [] } }]))
  })

  it('does not set current_value: that of a loop around it stays', async () => {
    const { run } = await startEngine()
    const inner = whileLoop('{{ current_index < 1 }}', [validation('same', "{{ current_value == 'a' and current_item == 'a' }}")])
    const outer = { type: 'for_loop' as const, label: 'outer', loopOverParameterKey: 'list', loopBlocks: [inner] }
    const result = await run({ parameters, blocks: [outer] }, { parameters: { list: ['a'] } })
    expect(result.failureReason).toBeNull()
  })

  it('still true at index 1,000 fails', async () => {
    const { run, memory } = await startEngine()
    expect(await run({ blocks: [whileLoop('yes', [code('x')])] })).toMatchObject({ status: 'failed', errorCode: 'LOOP_TOO_LONG' })
    const [row] = await memory.find({ table: 'run_blocks', where: { label: 'loop' } })
    expect(row?.output).toHaveLength(1_000)
  }, 60_000)

  it('whose condition cannot be rendered fails, whatever its flags, its output kept', async () => {
    const { run, memory } = await startEngine({ strictTemplates: true })
    const loop = whileLoop('{{ current_index < 1 or nobody }}', [code('x')], { nextLoopOnFailure: true })
    expect(await run({ blocks: [loop] })).toMatchObject({ status: 'failed', errorCode: 'CONDITION_ERROR' })
    const [row] = await blockRows(memory)
    expect(row?.output).toHaveLength(1)
  })
})
