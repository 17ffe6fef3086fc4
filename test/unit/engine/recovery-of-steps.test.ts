import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { ActionRecord } from '../../../src/actions/index.js'
import { completed, defineBlock } from '../../../src/blocks/index.js'
import { actionSchema, type BlockSchema } from '../../../src/definition/index.js'
import { pickElement, type RememberedElement, RunElements } from '../../../src/engine/element-memory.js'
import { WorkflowEngine } from '../../../src/engine/index.js'
import { MemoryStorage, type Storage } from '../../../src/storage/index.js'
import { FakeClock, type FakeElement, type FakeSite, sequentialIds } from '../../../src/testing/index.js'
import { settle, startHost } from './kit.js'

const PAGE = 'https://a.test/'
const click = (css: string) => ({ type: 'click' as const, target: { css } })
const block = (steps: readonly object[], more: object = {}) =>
  ({ type: 'navigation' as const, label: 'go', url: PAGE, steps, ...more }) as never
const save = { tag: 'button', role: 'button', name: 'Save' }

/** A host whose page can be changed between runs. */
async function changingSite(engine: object = {}) {
  const clicked: string[] = []
  const pages: Record<string, { elements: readonly FakeElement[] }> = { [PAGE]: { elements: [] } }
  const shows = (...elements: readonly FakeElement[]) => {
    pages[PAGE] = { elements: elements.map((element) => ({ ...element, onClick: () => void clicked.push(element.name ?? '') })) }
  }
  const host = await startHost({ driver: { site: pages as FakeSite }, engine })
  const { workflowPermanentId } = await host.engine.createWorkflow({ title: 'T', definition: { blocks: [block([click('#save')])] } })
  const again = async () => settle((await host.engine.startRun({ workflowPermanentId })).result(), host.clock)
  return { ...host, shows, again, clicked }
}

describe('an element that an earlier run touched', () => {
  it('is found by other ways when its own is broken, run after run', async () => {
    const { shows, again, clicked, memory } = await changingSite()
    shows({ ...save, css: '#save', testId: 'save' })
    expect(await again()).toMatchObject({ status: 'completed' })
    shows({ ...save, css: '#store', testId: 'save-2' })
    const healed = await again()
    expect(healed).toMatchObject({ status: 'completed', outputs: { go_output: { recoveredSteps: 1, actionCount: 3 } } })
    // only what the healed run has recorded leads on
    shows({ ...save, testId: 'save-2', css: '#third' })
    await again()
    expect(clicked).toEqual(['Save', 'Save', 'Save'])
    const rows = await memory.find({ table: 'actions', where: { type: 'click', status: 'completed' } })
    expect(new Set(rows.map(({ targetKey }) => targetKey)).size).toBe(1)
    expect(rows.map(({ recovery }) => recovery).sort()).toEqual(['alternative_target', 'alternative_target', null])
  })

  it('is not looked for when that is turned off', async () => {
    const { shows, again, clicked } = await changingSite({ alternativeTargets: false })
    shows({ ...save, css: '#save' })
    await again()
    shows({ ...save, css: '#store' })
    expect(await again()).toMatchObject({ status: 'failed', errorCode: 'TARGET_NOT_FOUND' })
    expect(clicked).toHaveLength(1)
  })

  it('is never taken for another one', async () => {
    const { shows, again, clicked } = await changingSite()
    shows({ ...save, css: '#save', testId: 'main' })
    await again()
    shows({ ...save, name: 'Delete all', css: '#store', testId: 'main' })
    expect(await again()).toMatchObject({ status: 'failed', errorCode: 'TARGET_NOT_FOUND' })
    expect(clicked).toEqual(['Save'])
  })

  it('belongs to its organisation', async () => {
    const { shows, engine, clock, clicked } = await changingSite()
    const { workflowPermanentId } = await engine.createWorkflow({
      title: 'T',
      definition: { blocks: [block([click('#save')])] },
      isTemplate: true,
    })
    const run = async (organizationId: string) => settle((await engine.startRun({ organizationId, workflowPermanentId })).result(), clock)
    shows({ ...save, css: '#save' })
    await run('acme')
    shows({ ...save, css: '#store' })
    expect(await run('other')).toMatchObject({ status: 'failed' })
    expect(await run('acme')).toMatchObject({ status: 'completed' })
    expect(clicked).toHaveLength(2)
  })
})

describe('the element that a target means', () => {
  const row = (name: string, more: Partial<RememberedElement> = {}): RememberedElement => ({
    workflowRunId: 'wr_2',
    blockLabel: 'a',
    element: { tag: 'button', role: 'button', name, targets: [] },
    ...more,
  })
  it.each<[string, readonly RememberedElement[], string | null]>([
    ['the newest', [row('Save'), row('Send', { workflowRunId: 'wr_1' })], 'Save'],
    ['none, where none was recorded', [], null],
    ['of its own block', [row('Save', { blockLabel: 'b' }), row('Send')], 'Send'],
    ['of another block, where its own has none', [row('Save', { blockLabel: 'b' })], 'Save'],
    ['none, where one run found different ones', [row('Save'), row('Delete')], null],
  ])('is %s', (_, rows, name) => {
    expect(pickElement(rows, 'a')?.name ?? null).toBe(name)
  })
})

describe('the memory of a run', () => {
  const element = (name: string) => ({ tag: 'button', role: 'button', name, targets: [] })
  const note = (name: string, more: object = {}) =>
    ({ status: 'completed', targetKey: 'k', element: element(name), blockLabel: 'a', dryRun: false, ...more }) as unknown as ActionRecord
  const memory = (find: () => Promise<unknown[]>) =>
    new RunElements({
      storage: { find } as unknown as Storage,
      run: { organizationId: 'acme', workflowPermanentId: 'wpid_1', workflowRunId: 'wr_1' },
    })
  const fails = async () => {
    throw new Error('away')
  }

  it('knows what the run itself has touched, before it is written', async () => {
    const elements = memory(fails)
    elements.note(note('Save'))
    expect((await elements.of('a').recall('k'))?.name).toBe('Save')
  })

  it('knows nothing where one target has named different elements', async () => {
    const elements = memory(async () => [{ workflowRunId: 'wr_0', blockLabel: 'a', element: element('Save') }])
    for (const name of ['Save', 'Delete', 'Save']) elements.note(note(name))
    expect(await elements.of('a').recall('k')).toBeNull()
    expect((await elements.of('b').recall('k'))?.name).toBe('Save')
  })

  it('takes no failed and no merely checked action, and a storage that fails for one that knows nothing', async () => {
    const elements = memory(fails)
    for (const more of [{ status: 'failed' }, { dryRun: true }, { element: null }, { targetKey: null }]) elements.note(note('Save', more))
    expect(await elements.of('a').recall('k')).toBeNull()
  })
})

it('the run of a dead host leaves no task running', async () => {
  const clock = new FakeClock()
  const storage = new MemoryStorage({ clock })
  let isFrozen = false
  const shared = (isCut: () => boolean) =>
    new Proxy(storage, {
      get(target, key) {
        if (key === 'capabilities') return { durable: true, shared: true, notify: true }
        const value = Reflect.get(target, key)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => (isCut() && key === 'commit' ? new Promise(() => {}) : value.apply(target, args))
      },
    })
  const tasked = defineBlock({
    type: 'tasked',
    schema: z.strictObject({}) as BlockSchema,
    execute: async (_, context) => {
      const steps = [1, 100_000].map((waitSec) => actionSchema.parse({ type: 'wait', waitSec: Math.min(waitSec, 1_800) }))
      await context.performAll(steps, { task: { goal: 'wait' } })
      return completed(null)
    },
  })
  const make = (hostId: string, from: MemoryStorage) =>
    new WorkflowEngine({ storage: from, clock, ids: sequentialIds(), organizationId: 'acme', blocks: [tasked] as never, hostId })
  const one = make(
    'one',
    shared(() => isFrozen),
  )
  await one.start()
  const { workflowPermanentId } = await one.createWorkflow({
    title: 'T',
    definition: { blocks: [{ type: 'tasked', label: 'a' }] as never },
  })
  const { workflowRunId } = await one.startRun({ workflowPermanentId })
  for (let turn = 0; turn < 40; turn++) await clock.advance(50)
  expect((await storage.find({ table: 'tasks' })).map(({ status, goal }) => [status, goal])).toEqual([['running', 'wait']])
  isFrozen = true
  const two = make(
    'two',
    shared(() => false),
  )
  await two.start()
  await clock.advance(40_000)
  expect(await two.getRun({ workflowRunId })).toMatchObject({ status: 'failed', errorCode: 'HOST_LOST' })
  expect((await storage.find({ table: 'tasks' })).map(({ status, errorCode }) => [status, errorCode])).toEqual([['failed', 'HOST_LOST']])
  await Promise.all([settle(two.destroy(), clock), clock.advance(1)])
})
