import { describe, expect, it } from 'vitest'
import type { TimelineBlock } from '../../../src/engine/index.js'
import { buildTimeline } from '../../../src/engine/timeline-tree.js'
import type { RunBlockRow, Storage } from '../../../src/storage/index.js'
import type { FakeSite } from '../../../src/testing/index.js'
import { aBlock } from '../storage/contract/contract.js'
import { code, createWorld, failure, otherwise, startHost, when } from './kit.js'

const site: FakeSite = { 'https://a.test/': { title: 'A', elements: [{ css: '#go' }, { css: '#name' }] } }
const open = (label: string, more: object = {}) => ({ type: 'goto_url' as const, label, url: 'https://a.test/', ...more })

/** `label[index]` with what is below it. */
type Tree = string | [string, ...Tree[]]
const shape = (blocks: readonly TimelineBlock[]): Tree[] =>
  blocks.map(({ label, currentIndex, attempts }) => {
    const name = `${label}${currentIndex === null ? '' : `[${currentIndex}]`}${attempts.length === 1 ? '' : ` x${attempts.length}`}`
    const below = shape(attempts.flatMap((attempt) => attempt.blocks))
    return below.length === 0 ? name : [name, ...below]
  })

describe('the timeline of a run', () => {
  it('nests loops and branches, and holds each attempt with its actions newest first', async () => {
    const { run, engine } = await startHost({ driver: { site }, engine: { handlers: { noop: () => null, rows: () => [1, 2] } } })
    await run({
      blocks: [
        code('rows', 'rows', { nextBlockLabel: 'each' }),
        {
          type: 'for_loop',
          label: 'each',
          loopVariableReference: 'rows_output',
          nextBlockLabel: 'last',
          loopBlocks: [
            open('look', { nextBlockLabel: 'which' }),
            {
              type: 'conditional',
              label: 'which',
              nextBlockLabel: 'after',
              branches: [when('{{ current_value == 1 }}', 'first'), otherwise('other')],
            },
            {
              type: 'action',
              label: 'first',
              nextBlockLabel: 'after',
              steps: [
                { type: 'click', target: { css: '#go' } },
                { type: 'input_text', target: { css: '#name' }, value: 'Ada' },
              ],
            },
            code('other', 'noop', { nextBlockLabel: 'after' }),
            code('after'),
          ],
        },
        code('last'),
      ],
    } as never)
    const timeline = await engine.getTimeline({ workflowRunId: 'wr_1' })
    expect(timeline).toMatchObject({ workflowRunId: 'wr_1', status: 'completed' })
    expect(shape(timeline.blocks)).toEqual([
      'rows',
      ['each', 'look[0]', ['which[0]', 'first[0]'], 'after[0]', 'look[1]', ['which[1]', 'other[1]'], 'after[1]'],
      'last',
    ])
    const loop = timeline.blocks[1]?.attempts[0]
    const first = loop?.blocks[1]?.attempts[0]?.blocks[0]
    expect(first?.currentValue).toBe(1)
    const attempt = first?.attempts[0]
    expect(attempt?.actions.map(({ type }) => type)).toEqual(['input_text', 'click'])
    expect(attempt?.actions[0]).not.toHaveProperty('organizationId')
    expect(attempt?.thoughts).toEqual([])
    expect(attempt?.task?.steps.map(({ order, status }) => [order, status])).toEqual([
      [0, 'completed'],
      [1, 'completed'],
    ])
    expect(loop?.blocks[0]?.attempts[0]).toMatchObject({ task: null, status: 'completed', actions: [{ type: 'goto_url' }] })
  })

  it('keeps attempts together, in order', async () => {
    let calls = 0
    const handlers = {
      flaky: () => {
        calls += 1
        if (calls < 3) throw new Error('again')
      },
    }
    const { run, engine } = await startHost({ engine: { handlers } })
    await run({ blocks: [code('a', 'flaky', { maxRetries: 2 })] })
    const { blocks } = await engine.getTimeline({ workflowRunId: 'wr_1' })
    expect(shape(blocks)).toEqual(['a x3'])
    expect(blocks[0]?.attempts.map(({ attempt, status }) => [attempt, status])).toEqual([
      [1, 'failed'],
      [2, 'failed'],
      [3, 'completed'],
    ])
  })

  it('of picked blocks is a plain list', async () => {
    const { run, engine } = await startHost()
    const branches = [when('{{ true }}', 'b'), otherwise('c')]
    const blocks = [{ type: 'conditional' as const, label: 'a', branches }, code('b'), code('c')]
    await run({ blocks } as never, { blockLabels: ['a', 'b'] })
    expect(shape((await engine.getTimeline({ workflowRunId: 'wr_1' })).blocks)).toEqual(['a', 'b'])
    await run({ blocks } as never)
    expect(shape((await engine.getTimeline({ workflowRunId: 'wr_2' })).blocks)).toEqual([['a', 'b']])
  })

  it('costs as many reads for many blocks as for one', async () => {
    let finds: string[] = []
    const watch = (inner: Storage): Storage =>
      new Proxy(inner, {
        get(target, key) {
          const value = Reflect.get(target, key)
          if (typeof value !== 'function') return value
          return (...params: { table: string }[]) => {
            if (key === 'find') finds.push(params[0]?.table ?? '')
            return value.apply(target, params)
          }
        },
      })
    const { run, engine } = await startHost({ driver: { site }, world: createWorld(watch) })
    await run({ blocks: Array.from({ length: 30 }, (_, index) => open(`b${index}`)) })
    finds = []
    expect((await engine.getTimeline({ workflowRunId: 'wr_1' })).blocks).toHaveLength(30)
    expect(finds.sort()).toEqual(['actions', 'run_blocks', 'steps', 'tasks'])
  })

  it('is that of its own organisation', async () => {
    const { run, engine } = await startHost()
    await run({ blocks: [code('a')] })
    expect((await failure(engine.getTimeline({ organizationId: 'other', workflowRunId: 'wr_1' }))).code).toBe('RUN_NOT_FOUND')
    expect((await failure(engine.getTimeline({ workflowRunId: 'wr_x' }))).code).toBe('RUN_NOT_FOUND')
    expect((await engine.forOrganization('acme').getTimeline({ workflowRunId: 'wr_1' })).blocks).toHaveLength(1)
  })
})

describe('building it', () => {
  const row = (id: string, values: Partial<RunBlockRow>): RunBlockRow =>
    ({ parentRunBlockId: null, currentIndex: null, currentValue: null, output: null, branch: null, ...aBlock(id, values) }) as RunBlockRow
  const nothing = () => ({ actions: [], task: null, steps: [] })

  it('puts what follows a repeated loop or conditional under its last attempt', () => {
    const rows = [
      row('r1', { label: 'loop', attempt: 1 }),
      row('r2', { label: 'child', parentRunBlockId: 'r1', currentIndex: 0 }),
      row('r3', { label: 'loop', attempt: 2 }),
      row('r4', { label: 'child', parentRunBlockId: 'r3', currentIndex: 0 }),
      row('r5', { label: 'if', attempt: 1 }),
      row('r6', { label: 'if', attempt: 2 }),
      row('r7', { label: 'then' }),
    ]
    const blocks = buildTimeline(rows, nothing, new Map([['then', 'if']]))
    const below = blocks.map(({ attempts }) => attempts.map((attempt) => attempt.blocks.map(({ attempts: own }) => own[0]?.runBlockId)))
    expect(below).toEqual([
      [['r2'], ['r4']],
      [[], ['r7']],
    ])
  })

  it('keeps a block whose conditional never ran, or whose loop is missing, at the level it knows', () => {
    const rows = [row('r1', { label: 'then' }), row('r2', { label: 'child', parentRunBlockId: 'gone', currentIndex: 3 })]
    expect(shape(buildTimeline(rows, nothing, new Map([['then', 'if']])))).toEqual(['then', 'child[3]'])
  })

  it('begins a new entry where a first attempt comes again', () => {
    const rows = [row('r1', { label: 'a' }), row('r2', { label: 'a' }), row('r3', { label: 'a', attempt: 2 })]
    expect(shape(buildTimeline(rows, nothing, new Map()))).toEqual(['a', 'a x2'])
  })
})
