import { expect, it } from 'vitest'
import { MemoryStorage, WorkflowEngine } from '../../../src/index.js'

it.each([
  ['getWorkflow', {}],
  ['getWorkflow', { workflowPermanentId: undefined }],
  ['getWorkflow', { workflowId: 'wf_1' }],
  ['getRun', {}],
  ['waitForRun', { workflowRunId: '' }],
  ['cancel', { runId: 'wr_1' }],
  ['readArtifact', {}],
] as const)('%s refuses %j instead of guessing what is meant', async (call, argument) => {
  const engine = new WorkflowEngine({ storage: new MemoryStorage(), organizationId: 'acme' })
  await engine.start()
  await engine.createWorkflow({ title: 'Some', definition: { blocks: [{ type: 'wait', label: 'w', waitSec: 1 }] } })
  const ask = engine[call] as (params: unknown) => Promise<unknown>
  await expect(ask.call(engine, argument)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  await engine.stop()
})

it('refuses settings that it does not know', async () => {
  const engine = new WorkflowEngine({ storage: new MemoryStorage(), organizationId: 'acme' })
  await engine.start()
  const definition = { blocks: [{ type: 'wait' as const, label: 'w', waitSec: 1 }] }
  const params = { title: 'T', definition, runsSequentially: true }
  await expect(engine.createWorkflow(params)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', details: { path: 'runsSequentially' } })
  await engine.stop()
})

it.each([
  ['wait', { wait: { timeoutMs: 1_000 } }],
  ['idempotencyKey', { idempotencyKey: 'run_block:rb_1' }],
])('refuses a run whose %s can mean nothing', async (path, more) => {
  const engine = new WorkflowEngine({ storage: new MemoryStorage(), organizationId: 'acme' })
  await engine.start()
  const started = engine.startRun({ workflowPermanentId: 'wpid_1', ...more })
  await expect(started).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', details: { path } })
  await engine.stop()
})
