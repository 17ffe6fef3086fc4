import { it } from 'vitest'
import { faultyStorage } from '../../../src/testing/index.js'
import { code, createWorld, handlers, settle, startHost, streamOf } from './kit.js'
it('x', async () => {
  for (let round = 18; round < 26; round++) {
  let storage: any
  const log: string[] = []
  let n = 0
  const world = createWorld((m) => { storage = faultyStorage(m); const c = storage.commit.bind(storage); storage.commit = async (b: any) => { const line = `${world.clock.monotonicMs()} ` + b.map((w: any) => `${w.op} ${w.table ?? w.stream} ${w.id ?? ''} ${w.op === 'append' ? w.events.map((e: any) => `${e.type}#${e.id}`).join(',') : ''}`).join('; ').slice(0, 400); try { const r = await c(b); log.push(`${line} => ${r.ok ? 'ok' : r.reason}`); return r } catch (e) { log.push(`${line} => THROW`); throw e } }; return storage })
  const host = await startHost({ driver: { site: { 'https://a.test/': { elements: [{ css: '#go' }] } } }, world, engine: { handlers: { ...handlers } } })
  const steps = [{ type: 'click' as const, target: { css: '#go' } }, { type: 'wait' as const, waitSec: 1 }]
  const { workflowPermanentId } = await host.engine.createWorkflow({ title: 'A', definition: { blocks: [{ type: 'navigation', label: 'go', url: 'https://a.test/', steps } as never, code('b')] } })
  log.length = 0
  storage.reset({ failAtCall: round, when: 'after' })
  const run = await host.engine.startRun({ workflowPermanentId }).catch(() => null)
  if (run) await settle(run.result().catch(() => null), host.clock, 300_000).catch(() => null)
  storage.reset()
  const events = await streamOf(world.memory)
  const ids = events.map((e: any) => e.id)
  console.log(round, ids.length, new Set(ids).size)
  if (ids.length !== new Set(ids).size) console.log(log.join('\n'))
  }
}, 60_000)
