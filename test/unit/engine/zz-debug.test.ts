import fc from 'fast-check'
import { it } from 'vitest'
import { MemoryStorage } from '../../../src/storage/index.js'
import { FakeClock, sequentialIds } from '../../../src/testing/index.js'
import { WorkflowEngine } from '../../../src/engine/index.js'
import { code, handlers, streamOf, watchedStorage } from './kit.js'
it('dbg', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.nat({ max: 3 }), fc.integer({ min: 1, max: 3 }), async (scheduler, cancels, blocks) => {
      const clock = new FakeClock()
      const memory = new MemoryStorage({ clock })
      const { storage, watched } = watchedStorage(memory)
      const log: string[] = []
      const logger = { debug() {}, info() {}, warn: (m: string, f: any) => log.push(m + String(f?.error?.stack)), error: (m: string, f: any) => log.push(m + String(f?.error?.stack)) }
      const engine = new WorkflowEngine({ storage, clock, ids: sequentialIds(), organizationId: 'acme', handlers, logger: logger as never })
      await engine.start()
      const { workflowPermanentId } = await engine.createWorkflow({ title: 'A race', definition: { blocks: Array.from({ length: blocks }, (_, index) => code(`b${index}`)) } })
      watched.before = () => scheduler.schedule(Promise.resolve(), 'commit')
      let stage = 'starting'
      const racing = engine.startRun({ workflowPermanentId }).then(async (run) => {
        stage = 'canceling'
        await Promise.all(Array.from({ length: cancels }, () => scheduler.schedule(Promise.resolve(), 'cancel').then(() => run.cancel())))
        stage = 'waiting'
        return run.result()
      })
      const t = new Promise((_, reject) => setTimeout(() => reject(new Error('HANG ' + stage)), 1000))
      try {
        await Promise.race([scheduler.waitFor(racing), t])
      } catch (error) {
        console.log('HUNG', stage, { cancels, blocks }, (await streamOf(memory)).map((e) => e.type), log, clock.pendingTimers, await memory.get('runs', 'wr_1'), scheduler.count())
        throw error
      }
      watched.before = undefined
      await engine.stop()
    }),
    { numRuns: 100, endOnFailure: true },
  )
}, 60_000)
