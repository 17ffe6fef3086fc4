import { describe, expect, it } from 'vitest'
import { createWorkflowSchema, updateWorkflowSchema } from '../../../src/engine/engine-params.js'
import { begun, code, failure, settle, startEngine, types } from './kit.js'

const settings = {
  description: 'why',
  maxElapsedTimeMinutes: 17,
  finallyTimeoutSeconds: 5,
  onHostLost: 'resume',
  runSequentially: true,
  errorCodeMapping: { OOPS: 'it broke' },
} as const

describe('updateWorkflow', () => {
  it('stores the next version, which keeps what is left out', async () => {
    const { engine, events, memory } = await startEngine()
    const playbooks = [{ name: 'go', steps: [{ type: 'wait', waitSec: 1 }] }] as never
    const first = await engine.createWorkflow({ title: 'First', definition: { blocks: [code('a')] }, playbooks, ...settings })
    const { workflowPermanentId } = first
    const second = await engine.updateWorkflow({ workflowPermanentId, definition: { blocks: [code('b')] } })
    expect(second).toMatchObject({ ...settings, title: 'First', version: 2, workflowPermanentId, organizationId: 'acme' })
    expect(second.workflowId).not.toBe(first.workflowId)
    expect(second.definition.blocks.map(({ label }) => label)).toEqual(['b'])
    const third = await engine.updateWorkflow({ workflowPermanentId, title: 'Third', description: null, onHostLost: 'fail' })
    expect(third).toMatchObject({ ...settings, title: 'Third', description: null, onHostLost: 'fail', version: 3 })
    expect(third.definition).toEqual(second.definition)
    expect((await engine.getWorkflow({ workflowPermanentId, version: 1 })).definition).toEqual(first.definition)
    expect((await engine.listPlaybooks({ workflowPermanentId })).map(({ name }) => name)).toEqual(['go'])
    expect(types(events)).toEqual(['workflow.created', 'workflow.updated', 'workflow.updated'])
    const stream = await memory.readEvents({ stream: `workflow:${workflowPermanentId}` })
    expect(stream.map(({ type, payload }) => [type, (payload as { version: number }).version])).toEqual([
      ['workflow.created', 1],
      ['workflow.updated', 2],
      ['workflow.updated', 3],
    ])
  })

  it('is what runs are made of from then on; those that were created before go on with theirs', async () => {
    const { engine, clock, events } = await startEngine({ concurrency: 1 })
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'W', definition: { blocks: [code('old')] } })
    const before = await engine.startRun({ workflowPermanentId })
    await engine.updateWorkflow({ workflowPermanentId, definition: { blocks: [code('new')] } })
    const after = await engine.startRun({ workflowPermanentId })
    await settle(Promise.all([before.result(), after.result()]), clock)
    expect(begun(events)).toEqual(['old', 'new'])
  })

  it('is refused when somebody else was first', async () => {
    const { engine, memory } = await startEngine()
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'W', definition: { blocks: [code('a')] } })
    const update = (title: string) => engine.updateWorkflow({ workflowPermanentId, title, expectedVersion: 1 })
    const all = await Promise.allSettled([update('x'), update('y'), update('z')])
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const one of all)
      if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'WORKFLOW_VERSION_CONFLICT', retryable: true })
    expect(await failure(update('late'))).toMatchObject({ code: 'WORKFLOW_VERSION_CONFLICT' })
    expect(await failure(engine.updateWorkflow({ workflowPermanentId, title: 'x', expectedVersion: 9 }))).toMatchObject({
      code: 'WORKFLOW_NOT_FOUND',
    })
    expect(await memory.count('workflows')).toBe(2)
  })

  it('is for the owner, and for what can be run', async () => {
    const { engine, memory } = await startEngine()
    const definition = { blocks: [code('a')] }
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'W', definition, isTemplate: true })
    const update = { workflowPermanentId, title: 'Mine' }
    expect(await failure(engine.forOrganization('other').updateWorkflow(update))).toMatchObject({ code: 'WORKFLOW_NOT_FOUND' })
    const unknown = { workflowPermanentId, definition: { blocks: [code('a', 'nobody')] } }
    expect(await failure(engine.updateWorkflow(unknown))).toMatchObject({ code: 'INVALID_DEFINITION' })
    expect(await failure(engine.updateWorkflow({ workflowPermanentId, titel: 'x' } as never))).toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(await memory.count('workflows')).toBe(1)
  })

  it('takes every setting of createWorkflow, with no default of its own', () => {
    const given = updateWorkflowSchema.parse({ workflowPermanentId: 'wpid_1' })
    expect(given).toEqual({ workflowPermanentId: 'wpid_1' })
    const settable = Object.keys(createWorkflowSchema.shape).filter((key) => key !== 'playbooks')
    expect(Object.keys(updateWorkflowSchema.shape).toSorted()).toEqual([...settable, 'workflowPermanentId', 'expectedVersion'].toSorted())
  })
})
