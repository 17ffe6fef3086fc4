import { describe, expect, it } from 'vitest'
import { begun, blockRows, code, failure, handlers, otherwise, startEngine, when } from './kit.js'

describe('the walk', () => {
  it('goes from block to block in array order when nobody names a next one', async () => {
    const { run, events } = await startEngine()
    const result = await run({ blocks: [code('a'), code('b'), code('c')] })
    expect(result.status).toBe('completed')
    expect(begun(events)).toEqual(['a', 'b', 'c'])
  })

  it('follows nextBlockLabel wherever it leads', async () => {
    const { run, events } = await startEngine()
    await run({ blocks: [code('b', 'noop', { nextBlockLabel: 'c' }), code('a', 'noop', { nextBlockLabel: 'b' }), code('c')] })
    expect(begun(events)).toEqual(['a', 'b', 'c'])
  })

  it('takes the first branch that holds, and joins at the conditional’s own next', async () => {
    const { run, events, memory } = await startEngine()
    const result = await run({
      blocks: [
        {
          type: 'conditional',
          label: 'which',
          nextBlockLabel: 'join',
          branches: [when('{{ 1 > 2 }}', 'a'), when('{{ 2 > 1 }}', 'b'), when('yes', 'a'), otherwise('a')],
        },
        code('a'),
        code('b'),
        code('join'),
      ],
    })
    expect(begun(events)).toEqual(['which', 'b', 'join'])
    expect(result.outputs.which_output).toMatchObject({
      branchTaken: 'b',
      branchIndex: 1,
      criteriaType: 'jinja2_template',
      criteriaExpression: '{{ 2 > 1 }}',
      nextBlockLabel: 'b',
      evaluations: [
        { branchIndex: 0, expression: '{{ 1 > 2 }}', result: false },
        { branchIndex: 1, expression: '{{ 2 > 1 }}', result: true },
      ],
    })
    const [which] = await blockRows(memory)
    expect(which?.branch).toMatchObject({ branchTaken: 'b', branchIndex: 1 })
  })

  it('takes the default only when nothing matched, wherever it stands in the list', async () => {
    const { run, events } = await startEngine()
    const branches = [otherwise('a'), when('no', 'b')]
    await run({ blocks: [{ type: 'conditional', label: 'which', branches }, code('a'), code('b')] })
    expect(begun(events)).toEqual(['which', 'a'])
    await run({ blocks: [{ type: 'conditional', label: 'which', branches: [otherwise('a'), when('1', 'b')] }, code('a'), code('b')] })
    expect(begun(events).slice(2)).toEqual(['which', 'b'])
  })

  it('goes to the conditional’s own next for a branch without a target', async () => {
    const { run, events } = await startEngine()
    const result = await run({
      blocks: [
        { type: 'conditional', label: 'which', nextBlockLabel: 'join', branches: [when('no', 'a'), otherwise(null)] },
        code('a'),
        code('join'),
      ],
    })
    expect(begun(events)).toEqual(['which', 'join'])
    expect(result.outputs.which_output).toMatchObject({ branchTaken: null, branchIndex: 1, criteriaType: null, nextBlockLabel: 'join' })
  })

  it('says where an inner conditional leads to when only the outer one knows', async () => {
    const { run, events } = await startEngine()
    const result = await run({
      blocks: [
        { type: 'conditional', label: 'outer', nextBlockLabel: 'join', branches: [when('1', 'inner'), otherwise(null)] },
        { type: 'conditional', label: 'inner', branches: [when('1', null), otherwise('a')] },
        code('a'),
        code('join'),
      ],
    })
    expect(begun(events)).toEqual(['outer', 'inner', 'join'])
    expect(result.outputs.inner_output).toMatchObject({ branchTaken: null, nextBlockLabel: 'join' })
  })

  it('fails with NO_BRANCH_MATCHED when nothing matched and there is no default', async () => {
    const { run } = await startEngine()
    const result = await run({ blocks: [{ type: 'conditional', label: 'which', branches: [when('no', 'a')] }, code('a')] })
    expect(result).toMatchObject({ status: 'failed', errorCode: 'NO_BRANCH_MATCHED' })
    expect(result.errors).toEqual([{ blockLabel: 'which', code: 'NO_BRANCH_MATCHED', reason: expect.stringContaining('which') }])
  })

  it('names the branch whose template cannot be rendered', async () => {
    const { run } = await startEngine({ strictTemplates: true })
    const branches = [when('no', 'a'), { ...when('{{ nobody }}', 'a'), id: 'odd' }]
    const result = await run({ blocks: [{ type: 'conditional', label: 'which', branches }, code('a')] })
    expect(result).toMatchObject({ status: 'failed', errorCode: 'BRANCH_ERROR' })
    expect(result.failureReason).toMatch(/Branch 1 \(odd\)/)
  })

  it('goes on at its own next after a conditional that failed and may', async () => {
    const { run, events } = await startEngine()
    const result = await run({
      blocks: [
        { type: 'conditional', label: 'which', continueOnFailure: true, nextBlockLabel: 'join', branches: [when('no', 'a')] },
        code('a'),
        code('join'),
      ],
    })
    expect(begun(events)).toEqual(['which', 'join'])
    expect(result.status).toBe('completed')
    expect(result.errors).toHaveLength(1)
  })

  it('stops at the first failure, and goes on after one that may fail', async () => {
    const { run, events } = await startEngine()
    const failed = await run({ blocks: [code('a', 'fail'), code('b')] })
    expect(failed).toMatchObject({ status: 'failed', errorCode: 'BLOCK_ERROR', outputs: { a_output: null } })
    expect(failed.failureReason).toContain('it broke')
    const completed = await run({ blocks: [code('a', 'fail', { continueOnFailure: true }), code('b')] })
    expect(completed).toMatchObject({ status: 'completed', outputs: { a_output: null, b_output: null } })
    expect(completed.errors).toMatchObject([{ blockLabel: 'a', code: 'BLOCK_ERROR' }])
    expect(begun(events)).toEqual(['a', 'a', 'b'])
  })

  it('leaves no row for a block that never starts', async () => {
    const { run, memory } = await startEngine()
    await run({ blocks: [code('a', 'fail'), code('b')] })
    expect((await blockRows(memory)).map(({ label, status, sequence }) => [label, status, sequence])).toEqual([['a', 'failed', 1]])
  })
})

describe('outputs', () => {
  const echo = { handlers: { ...handlers, echo: ({ outputs }: { outputs: unknown }) => outputs as never, one: () => ({ n: 1 }) } }

  it('of a block are a variable, with an alias', async () => {
    const { run, events } = await startEngine(echo)
    const branches = [when('{{ a.n + a_output.n == 2 }}', 'yes'), otherwise('no')]
    await run({
      blocks: [code('a', 'one', { nextBlockLabel: 'which' }), { type: 'conditional', label: 'which', branches }, code('yes'), code('no')],
    })
    expect(begun(events)).toEqual(['a', 'which', 'yes'])
  })

  it('of blocks that are not run are seeded by blockOutputs, and are the run’s own too', async () => {
    const { run } = await startEngine(echo)
    const result = await run({ blocks: [code('a'), code('b', 'echo')] }, { blockOutputs: { a: { n: 7 } }, blockLabels: ['b'] })
    expect(result.outputs).toEqual({ a_output: { n: 7 }, b_output: { a: { n: 7 } } })
  })

  it('become JSON: undefined is null, dates are texts', async () => {
    const when = new Date('2026-02-03T04:05:06.000Z')
    const { run } = await startEngine({ handlers: { nothing: () => undefined, dated: () => ({ when, gone: undefined }) as never } })
    const result = await run({ blocks: [code('a', 'nothing'), code('b', 'dated')] })
    expect(result.outputs).toEqual({ a_output: null, b_output: { when: when.toISOString() } })
  })

  it.each([
    ['a function', () => () => 1],
    ['a big integer', () => ({ n: 1n })],
    [
      'what holds itself',
      () => {
        const self: Record<string, unknown> = {}
        self.self = self
        return self
      },
    ],
    ['what is nested too deeply', () => Array.from({ length: 600 }).reduce<unknown>((inner) => [inner], 1)],
  ])('fail their block when they are %s', async (_, handler) => {
    const { run } = await startEngine({ handlers: { odd: handler as never } })
    expect(await run({ blocks: [code('a', 'odd')] })).toMatchObject({ status: 'failed', errorCode: 'OUTPUT_NOT_JSON' })
  })

  it('are the caller’s own to change: what getWorkflow gave does not reach later runs', async () => {
    const { engine, events } = await startEngine()
    const workflow = await engine.createWorkflow({ title: 'A test', definition: { blocks: [code('a')] } })
    const block = workflow.definition.blocks[0]
    if (block !== undefined) block.label = 'changed'
    const handle = await engine.startRun({ workflowPermanentId: workflow.workflowPermanentId })
    await handle.result()
    expect(begun(events)).toEqual(['a'])
  })
})

describe('a whitelist', () => {
  const loop = {
    type: 'for_loop' as const,
    label: 'loop',
    loopOverParameterKey: 'list',
    loopBlocks: [code('inner'), code('inner_2')],
  }
  const definition = {
    parameters: [{ kind: 'workflow' as const, key: 'list', type: 'json' as const, default: [1, 2] }],
    blocks: [
      { type: 'conditional' as const, label: 'which', nextBlockLabel: 'loop', branches: [when('1', 'b'), otherwise(null)] },
      code('b'),
      { ...loop, nextBlockLabel: null },
      code('last'),
    ],
    finallyBlockLabel: 'last',
  }

  it('runs as a plain list, from any level, duplicates twice; conditionals do not route', async () => {
    const { run, events } = await startEngine()
    const result = await run(definition, { blockLabels: ['inner', 'which', 'inner', 'loop'] })
    expect(result.status).toBe('completed')
    expect(begun(events)).toEqual(['inner', 'which', 'inner', 'loop', 'inner', 'inner_2', 'inner', 'inner_2', 'last'])
  })

  it('runs the finally block once, at the end, also when it names it', async () => {
    const { run, events } = await startEngine()
    await run(definition, { blockLabels: ['last', 'b', 'last'] })
    expect(begun(events)).toEqual(['b', 'last'])
  })

  it('that names the finally block alone runs that', async () => {
    const { run, events } = await startEngine()
    expect((await run(definition, { blockLabels: ['last'] })).status).toBe('completed')
    expect(begun(events)).toEqual(['last'])
  })

  it('stops at a failure as the walk does', async () => {
    const { run, events } = await startEngine()
    const result = await run({ blocks: [code('a'), code('b', 'fail'), code('c')] }, { blockLabels: ['c', 'b', 'a'] })
    expect(result.status).toBe('failed')
    expect(begun(events)).toEqual(['c', 'b'])
  })

  it('with unknown labels, or none, is refused before anything is written', async () => {
    const { start, memory } = await startEngine()
    const unknown = await failure(start(definition, { blockLabels: ['b', 'nobody'] }))
    expect(unknown).toMatchObject({ code: 'BLOCK_NOT_FOUND', details: { labels: ['nobody'] } })
    expect((await failure(start(definition, { blockOutputs: { nobody: 1 } }))).code).toBe('BLOCK_NOT_FOUND')
    expect((await failure(start(definition, { blockLabels: [] }))).code).toBe('INVALID_ARGUMENT')
    expect(await memory.count('runs')).toBe(0)
  })
})
