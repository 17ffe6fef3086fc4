import { describe, expect, it } from 'vitest'
import { WorkflowEngine } from '../../../src/engine/index.js'
import { MemoryStorage } from '../../../src/storage/index.js'
import { recordEvents } from '../../../src/testing/index.js'

const pause = { blocks: [{ type: 'code' as const, label: 'pause', handler: 'nothing' }] }

async function startedEngine() {
  const engine = new WorkflowEngine({ storage: new MemoryStorage(), organizationId: 'org', handlers: { nothing: () => null } })
  await engine.start()
  const { workflowPermanentId } = await engine.createWorkflow({ title: 'Pause', definition: pause })
  return { engine, workflowPermanentId }
}

describe('recordEvents', () => {
  it('keeps what an engine does, and waits for what is still to come', async () => {
    const { engine, workflowPermanentId } = await startedEngine()
    const recording = recordEvents(engine)
    const run = await engine.startRun({ workflowPermanentId })
    const { payload } = await recording.waitFor('run.completed')
    expect(payload.workflowRunId).toBe(run.workflowRunId)
    expect(recording.types().slice(0, 2)).toEqual(['run.created', 'run.queued'])
    expect(await recording.waitFor('run.queued')).toBe(recording.events[1])
    recording.stop()
    const before = recording.events.length
    await (await engine.startRun({ workflowPermanentId })).result()
    expect(recording.events).toHaveLength(before)
    await engine.stop()
  })

  it('keeps what a run’s iterable gives, and knows when it has ended', async () => {
    const { engine, workflowPermanentId } = await startedEngine()
    const run = await engine.startRun({ workflowPermanentId })
    const recording = recordEvents(run.events())
    const block = await recording.waitFor('block.completed', { where: (event) => event.payload.label === 'pause' })
    expect(block.seq).toBeGreaterThan(1)
    await recording.waitFor('run.completed')
    await expect(recording.waitFor('run.failed')).rejects.toThrow(/No event run.failed before the source ended; there came: run.created,/)
    await engine.stop()
  })

  it('says what came instead when nothing comes in time, and when it is stopped', async () => {
    const { engine } = await startedEngine()
    const recording = recordEvents(engine)
    await expect(recording.waitFor('run.completed', { timeoutMs: 5 })).rejects.toThrow(
      'No event run.completed within 5 ms; there came: none',
    )
    const waiting = recording.waitFor('run.completed')
    recording.stop()
    await expect(waiting).rejects.toThrow('before the recording was stopped')
    await engine.stop()
  })

  it('passes the failure of an iterable on', async () => {
    const cause = new Error('gone')
    async function* failing() {
      yield { type: 'a' }
      throw cause
    }
    await expect(recordEvents(failing()).waitFor('b')).rejects.toMatchObject({ cause, message: expect.stringContaining('there came: a') })
  })
})
