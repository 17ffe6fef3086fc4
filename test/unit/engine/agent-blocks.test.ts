import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type AgentGoal, completed, defineBlock } from '../../../src/blocks/index.js'
import { goalConfigSchema } from '../../../src/definition/index.js'
import { type FakeSite, scriptedAgent } from '../../../src/testing/index.js'
import { blockRows, code, failure, startHost } from './kit.js'

const directory = mkdtempSync(join(tmpdir(), 'runwright-test-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const path = join(directory, 'bill.csv')
writeFileSync(path, 'a,b')

const url = 'https://a.test/'
const site: FakeSite = {
  [url]: {
    title: 'A',
    elements: [
      { css: '#go', onClick: 'https://a.test/next' },
      { css: '#bill', onClick: (page) => page.download({ suggestedFilename: 'bill.csv', url: `${url}bill`, path }) },
    ],
  },
  'https://a.test/next': { title: 'Next' },
}
const click = (css: string) => ({ type: 'click' as const, target: { css } })
const goal = (type: string, more: object = {}) => ({ type, label: 'a', url, navigationGoal: 'get on', ...more }) as never

describe('a block with a goal', () => {
  it.each(['navigation', 'action', 'task', 'login'])('(%s) goes to the agent', async (type) => {
    const agent = scriptedAgent([click('#go')])
    const { run, memory } = await startHost({ driver: { site }, engine: { agent } })
    const result = await run({ blocks: [goal(type)] })
    expect(result).toMatchObject({ status: 'completed', stepCount: 2, actionCount: 2 })
    expect(result.outputs.a_output).toEqual({
      status: 'completed',
      extractedInformation: null,
      downloadedFiles: [],
      screenshotArtifactIds: [],
      errors: [],
      actionCount: 2,
      recoveredSteps: 0,
      usage: { tokens: 0, calls: 0 },
    })
    expect((await memory.find({ table: 'actions' })).every(({ stepId, recovery }) => stepId !== null && recovery === null)).toBe(true)
  })

  it('is refused without an agent, and without a goal', async () => {
    const { start } = await startHost({ driver: { site } })
    expect(JSON.stringify((await failure(start({ blocks: [goal('task')] }))).details)).toContain('AGENT_REQUIRED')
    const agent = scriptedAgent([])
    const { run } = await startHost({ driver: { site }, engine: { agent } })
    expect(await run({ blocks: [{ type: 'task', label: 'a' }] })).toMatchObject({ status: 'failed', errorCode: 'NO_GOAL' })
    expect(agent.tasks).toEqual([])
  })

  it('whose page does not open never reaches the agent', async () => {
    const agent = scriptedAgent([])
    const { run } = await startHost({ driver: { site }, engine: { agent } })
    expect(await run({ blocks: [goal('task', { url: 'https://nowhere.test/' })] })).toMatchObject({
      status: 'failed',
      errorCode: 'NAVIGATION_FAILED',
    })
    expect(agent.tasks).toEqual([])
  })

  it('is rendered before the agent is told of it', async () => {
    const agent = scriptedAgent([])
    const { run } = await startHost({ driver: { site }, engine: { agent, handlers: { rows: () => ({ name: 'Ada' }) } } })
    await run({
      blocks: [
        code('rows', 'rows'),
        goal('task', { navigationGoal: 'greet {{ rows_output.name }}', navigationPayload: { who: ['{{ rows_output.name }}', 1, null] } }),
      ],
    })
    expect(agent.tasks).toMatchObject([{ goal: 'greet Ada', payload: { who: ['Ada', 1, null] } }])
  })

  it('waits for its download, and fails when none came', async () => {
    const agent = scriptedAgent([click('#bill')])
    const { run } = await startHost({ driver: { site }, engine: { agent } })
    const result = await run({ blocks: [goal('file_download')] })
    expect(result).toMatchObject({ status: 'completed', downloadedFiles: [{ filename: 'bill.csv', size: 3 }] })
    const nothing = await startHost({ driver: { site }, engine: { agent: scriptedAgent([click('#go')]) } })
    expect(await nothing.run({ blocks: [goal('file_download')] })).toMatchObject({ status: 'failed', errorCode: 'NOTHING_DOWNLOADED' })
    const waived = await startHost({ driver: { site }, engine: { agent: scriptedAgent([click('#go')]) } })
    expect(await waived.run({ blocks: [goal('file_download', { continueOnEmpty: true })] })).toMatchObject({ status: 'completed' })
  })

  it('is tried again with maxRetries, each attempt a task of its own', async () => {
    const agent = scriptedAgent((_page, { task }) => (task.goal === 'get on' && agent.tasks.length === 1 ? { status: 'failed' } : 'done'))
    const { run, memory } = await startHost({ driver: { site }, engine: { agent } })
    expect((await run({ blocks: [goal('task', { maxRetries: 1 })] })).status).toBe('completed')
    expect((await blockRows(memory)).map(({ status }) => status)).toEqual(['failed', 'completed'])
    expect((await memory.find({ table: 'tasks', orderBy: [{ column: 'order' }] })).map(({ status, retry }) => [status, retry])).toEqual([
      ['failed', 0],
      ['completed', 1],
    ])
  })
})

describe('an engine with an agent', () => {
  it('still refuses prompts as criteria: they are not judged yet', async () => {
    const { start } = await startHost({ engine: { agent: scriptedAgent([]) } })
    const criteria = { type: 'prompt' as const, expression: 'it is cheap' }
    const error = await failure(start({ blocks: [{ type: 'validation', label: 'a', completeCriterion: criteria }] }))
    expect(error.code).toBe('INVALID_DEFINITION')
    expect(JSON.stringify(error.details)).toContain('AGENT_REQUIRED')
  })

  it('has its steps limited by block, run and default, in this order, and observations by its own option', async () => {
    const agent = scriptedAgent((page, { results }) =>
      results.length === 0 ? { type: 'goto_url', url } : { status: 'completed', output: page.snapshot },
    )
    const { run } = await startHost({ driver: { site }, engine: { agent, maxObservationChars: 1_000 } })
    await run({ blocks: [goal('task', { maxSteps: 3 })] }, { maxSteps: 9 })
    await run({ blocks: [goal('task')] }, { maxSteps: 9 })
    await run({ blocks: [goal('task')] })
    expect(agent.tasks.map(({ budget }) => budget.maxSteps)).toEqual([3, 9, 25])
    const { start } = await startHost()
    expect((await failure(start({ blocks: [code('a')] }, { maxSteps: 0 }))).code).toBe('INVALID_ARGUMENT')
  })

  it('lends it to blocks of the host', async () => {
    const asked: AgentGoal = { goal: 'look', schema: { type: 'number' } }
    const own = defineBlock({
      type: 'count',
      schema: goalConfigSchema.pick({ url: true }),
      needsBrowser: true,
      execute: async (_block, context) => completed((await context.runAgent(asked)).output),
    })
    const agent = scriptedAgent([{ status: 'completed', output: 3 }])
    const { run } = await startHost({ engine: { agent, blocks: [own] } })
    expect((await run({ blocks: [{ type: 'count', label: 'a' } as never] })).outputs.a_output).toBe(3)
    const without = await startHost({ engine: { blocks: [own] } })
    expect(await without.run({ blocks: [{ type: 'count', label: 'a' } as never] })).toMatchObject({
      status: 'failed',
      errorCode: 'AGENT_REQUIRED',
    })
  })
})
