import { expect, it } from 'vitest'
import { MemoryStorage, WorkflowEngine } from '../../../src/index.js'
import { FakeClock, sequentialIds } from '../../../src/testing/index.js'

async function engineWithRuns() {
  const clock = new FakeClock()
  const handlers = { ok: () => 'fine', bad: () => Promise.reject(new Error('no')) }
  const engine = new WorkflowEngine({
    storage: new MemoryStorage({ clock }),
    clock,
    ids: sequentialIds(),
    organizationId: 'acme',
    handlers,
  })
  await engine.start()
  const runs: string[] = []
  for (const [title, handler] of [
    ['Alpha', 'ok'],
    ['Beta', 'bad'],
    ['Alpha two', 'ok'],
  ] as const) {
    const { workflowPermanentId } = await engine.createWorkflow({
      title,
      definition: { blocks: [{ type: 'code', label: 'only', handler }] },
    })
    const run = await engine.startRun({ workflowPermanentId })
    await run.result()
    runs.push(run.workflowRunId)
    await clock.advance(1_000)
  }
  return { engine, runs }
}

it('lists the runs of an organisation, newest first, page by page', async () => {
  const { engine, runs } = await engineWithRuns()
  expect((await engine.listRuns()).map(({ workflowRunId }) => workflowRunId)).toEqual([...runs].reverse())
  const [first] = await engine.listRuns({ limit: 1 })
  const rest = await engine.listRuns({ after: first?.workflowRunId ?? '' })
  expect(rest.map(({ workflowTitle }) => workflowTitle)).toEqual(['Beta', 'Alpha'])
  expect(await engine.listRuns({ organizationId: 'other' })).toEqual([])
  await engine.stop()
})

it('filters by status, error code and part of the title', async () => {
  const { engine } = await engineWithRuns()
  const titles = async (params: Parameters<typeof engine.listRuns>[0]) =>
    (await engine.listRuns(params)).map(({ workflowTitle }) => workflowTitle)
  expect(await titles({ status: ['failed'] })).toEqual(['Beta'])
  expect(await titles({ errorCode: 'BLOCK_ERROR' })).toEqual(['Beta'])
  expect(await titles({ search: 'aLPHa' })).toEqual(['Alpha two', 'Alpha'])
  await expect(engine.listRuns({ limit: 0 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', details: { path: 'limit' } })
  await engine.stop()
})
