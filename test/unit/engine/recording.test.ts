import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { completed, defineBlock } from '../../../src/blocks/index.js'
import { type BlockSchema, playbookStepSchema } from '../../../src/definition/index.js'
import { blockRows, createWorld, settle, startHost, streamOf, types, until, type World, watchedStorage } from './kit.js'

const PAGE = 'https://a.test/'
const click = (css: string) => ({ type: 'click' as const, target: { css } })
const site = { [PAGE]: { elements: [{ css: '#a' }, { css: '#b' }] } }
const block = (steps: readonly object[], more: object = {}) =>
  ({ type: 'navigation' as const, label: 'go', url: PAGE, steps, ...more }) as never

const rows = async (world: Pick<World, 'memory'>) => ({
  tasks: await world.memory.find({ table: 'tasks', orderBy: [{ column: 'order' }] }),
  steps: await world.memory.find({ table: 'steps', orderBy: [{ column: 'stepId' }] }),
  actions: await world.memory.find({ table: 'actions', orderBy: [{ column: 'actionId' }] }),
})

function watchedWorld() {
  let watched!: ReturnType<typeof watchedStorage>['watched']
  const world = createWorld((memory) => {
    const wrapped = watchedStorage(memory)
    watched = wrapped.watched
    return wrapped.storage
  })
  return { world, watched }
}

describe('a goal block', () => {
  it('is a task with a row for each attempt at each step, and each action knows its step', async () => {
    const { run, memory, world } = await startHost({ driver: { site } })
    const lost = { action: click('#lost'), retries: 1, onFailure: 'continue' }
    const result = await run({
      blocks: [block([click('#a'), lost, { action: click('#b'), assert: { target: { css: '#b' } } }], { navigationGoal: 'press both' })],
    })
    expect(result).toMatchObject({ status: 'completed', outputs: { go_output: { recoveredSteps: 0, actionCount: 5 } } })
    const { tasks, steps, actions } = await rows(world)
    expect(tasks).toMatchObject([
      { blockLabel: 'go', url: PAGE, goal: 'press both', status: 'completed', errorCode: null, retry: 0, order: 0, organizationId: 'acme' },
    ])
    expect((await blockRows(memory)).map(({ taskId, runBlockId }) => [taskId, runBlockId])).toEqual([
      [tasks[0]?.taskId, tasks[0]?.runBlockId],
    ])
    expect(steps.map(({ taskId, order, status }) => [taskId, order, status])).toEqual(
      ['completed', 'completed', 'failed', 'completed'].map((status, order) => [tasks[0]?.taskId, order, status]),
    )
    expect(steps[0]?.output).toMatchObject({ url: PAGE })
    expect(actions.map(({ stepId }) => stepId)).toEqual([0, 1, 2, 3, 3].map((at) => steps[at]?.stepId))
    expect(actions.map(({ stepIndex }) => stepIndex)).toEqual([0, 1, 2, 3, 4])
  })

  it('has a task for each attempt, with the end of that attempt', async () => {
    const { run, world } = await startHost({ driver: { site } })
    await run({ blocks: [block([click('#lost')], { maxRetries: 1 })] })
    const { tasks } = await rows(world)
    expect(tasks.map(({ status, errorCode, retry, order }) => [status, errorCode, retry, order])).toEqual([
      ['failed', 'TARGET_NOT_FOUND', 0, 0],
      ['failed', 'TARGET_NOT_FOUND', 1, 1],
    ])
  })

  it('keeps no secret in its task and its steps', async () => {
    const { run, world } = await startHost({
      driver: { site: { ...site, [`${PAGE}?p=hunter2`]: site[PAGE] } },
      engine: { credentials: { vault: { get: async () => 'hunter2' } } },
    })
    const parameters = [{ kind: 'secret' as const, key: 'PIN', provider: 'vault', name: 'pin' }]
    const result = await run({
      parameters,
      blocks: [block([click('#a')], { url: `${PAGE}?p={{ PIN }}`, navigationGoal: 'go to {{ PIN }}' })],
    })
    expect(result.status).toBe('completed')
    const stored = await rows(world)
    expect(stored.tasks).toMatchObject([{ url: `${PAGE}?p={{ PIN }}`, goal: 'go to {{ PIN }}' }])
    expect(JSON.stringify(stored)).not.toMatch(/hunter2|\u27e6/)
  })

  it('that is canceled leaves no task running', async () => {
    const { start, world, clock, events } = await startHost({ driver: { site } })
    const handle = await start({ blocks: [block([{ type: 'wait', waitSec: 500 }])] })
    await until(async () => {
      await clock.advance(60)
      return types(events).includes('action.performed')
    })
    expect((await rows(world)).tasks.map(({ status }) => status)).toEqual(['running'])
    await handle.cancel()
    await settle(handle.result(), clock)
    const { tasks, steps } = await rows(world)
    expect(tasks.map(({ status }) => status)).toEqual(['canceled'])
    expect(steps.map(({ status }) => status)).toEqual(['completed', 'canceled'])
  })
})

it('blocks that are no goal have actions only, and may have a task if they ask', async () => {
  const tasked = (isTask: boolean) =>
    defineBlock({
      type: isTask ? 'tasked' : 'plain',
      schema: z.strictObject({}) as BlockSchema,
      needsBrowser: true,
      execute: async (_, context) => {
        const list = [playbookStepSchema.parse({ action: click('#a') })]
        const options = isTask ? { task: { goal: 'mine' } } : {}
        await context.page.goto(PAGE)
        const both = [await context.performAll(list, options), await context.performAll(list, options)]
        return completed(both.map(({ failure, stepCount }) => [failure === null, stepCount]))
      },
    })
  const { run, world } = await startHost({ driver: { site }, engine: { blocks: [tasked(true), tasked(false)] as never } })
  const result = await run({
    blocks: [
      { type: 'plain', label: 'a' },
      { type: 'tasked', label: 'b' },
    ] as never,
  })
  expect(result.outputs).toMatchObject({
    a_output: [
      [true, 1],
      [true, 1],
    ],
    b_output: [
      [true, 1],
      [true, 1],
    ],
  })
  const { tasks, steps, actions } = await rows(world)
  expect(tasks.map(({ goal, blockLabel }) => [goal, blockLabel])).toEqual([['mine', 'b']])
  expect(steps.map(({ order }) => order)).toEqual([0, 1])
  expect(actions.map(({ stepId }) => stepId === null)).toEqual([true, true, true, true, false, false])
})

it('lends the driver’s own page', async () => {
  const own = defineBlock({
    type: 'own',
    schema: z.strictObject({}) as BlockSchema,
    execute: async (_, context) => completed((await context.nativePage<{ url(): string }>()).url()),
  })
  const { run } = await startHost({ driver: { site }, engine: { blocks: [own] as never } })
  expect((await run({ blocks: [{ type: 'own', label: 'a' }] as never })).outputs).toEqual({ a_output: 'about:blank' })
})

it('says when a block gets nowhere, and goes on', async () => {
  const { run, memory } = await startHost({ driver: { site } })
  const result = await run({ blocks: [block([click('#a'), click('#a'), click('#a'), click('#a')])] })
  expect(result.status).toBe('completed')
  const stuck = (await streamOf(memory)).filter(({ type }) => type === 'action.stuck')
  expect(stuck.map(({ payload }) => payload)).toMatchObject([
    { blockLabel: 'go', stepIndex: 3, verdict: 'warn', reason: 'the same action 3 times on an unchanged page' },
  ])
})

it('writes the actions, steps and events of a busy block in few commits', async () => {
  const { world, watched } = watchedWorld()
  const { run, memory } = await startHost({ driver: { site }, world })
  const steps = Array.from({ length: 50 }, () => ({ type: 'wait' as const, waitSec: 0.03 }))
  await run({ blocks: [block(steps)] })
  expect(await memory.count('actions')).toBe(51)
  const writing = watched.commits.filter((batch) => batch.some((write) => 'table' in write && write.table === 'actions'))
  expect(writing.length / 51).toBeLessThanOrEqual(0.1)
})

it('a storage that is away for a moment changes nothing for the steps', async () => {
  const { world, watched } = watchedWorld()
  const { run } = await startHost({ driver: { site }, world })
  let failures = 0
  watched.before = (batch) => {
    const isFlush =
      batch.some((write) => write.op === 'insert' && write.table === 'steps') &&
      !batch.some((write) => write.op === 'insert' && write.table === 'run_blocks')
    if (isFlush && failures++ < 2) throw new Error('away')
  }
  const result = await run({ blocks: [block([click('#a'), { type: 'wait', waitSec: 2 }, click('#b'), { type: 'wait', waitSec: 2 }])] })
  expect([result.status, failures > 0]).toEqual(['completed', true])
  expect((await rows(world)).steps).toHaveLength(5)
})
