import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { guardStorage, MemoryStorage } from '../../../src/storage/index.js'
import { storableText } from '../../../src/storage/values.js'
import { FakeClock } from '../../../src/testing/index.js'
import { batches, queries } from './arbitraries.js'
import { T0 } from './contract/contract.js'
import { inModelTerms, NaiveModel } from './naive-model.js'

describe('random batches and queries', () => {
  it('do what a naive model does', async () => {
    const steps = fc.array(fc.record({ batch: batches, query: queries }), { minLength: 1, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(steps, async (plan) => {
        const storage = guardStorage(new MemoryStorage({ clock: new FakeClock({ now: T0 }) }))
        await storage.open()
        const model = new NaiveModel(T0.getTime())
        for (const { batch, query } of plan) {
          const result = inModelTerms(await storage.commit(batch))
          const expected = model.commit(batch)
          expect(unordered(result)).toEqual(unordered(expected))
          const found = await storage.find({ ...query, table: 'runs' })
          expect(found.map((run) => run.workflowRunId)).toEqual(model.find(query))
          expect(await storage.count('runs', query.where)).toBe(model.find({ where: query.where ?? {} }).length)
        }
        const rows = await storage.find({ table: 'runs' })
        expect(rows.map((run) => [run.workflowRunId, run.status, run.priority, run.leaseExpiresAt, run.durationMs])).toEqual(
          model.find({}).map((id) => {
            const row = model.rows.find((other) => other.workflowRunId === id)
            return [id, row?.status, row?.priority, row?.leaseExpiresAt ?? null, row?.durationMs ?? null]
          }),
        )
        for (const stream of ['run:a', 'run:b']) {
          const events = await storage.readEvents({ stream })
          expect(events.map((event) => event.id)).toEqual(model.streams[stream] ?? [])
          expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1))
        }
      }),
      { numRuns: 400 },
    )
  }, 30_000)
})

describe('text on its way in', () => {
  it('is what the platform calls well formed, without NUL, and otherwise as it was', () => {
    const texts = fc.string({
      unit: fc.oneof(
        fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
        fc.constant('\0'),
      ),
    })
    const wellFormed = (text: string) => (text as string & { toWellFormed(): string }).toWellFormed()
    fc.assert(fc.property(texts, (text) => storableText(text) === wellFormed(text).replaceAll('\0', '\ufffd')))
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => text.includes('\0') || storableText(text) === text))
  })
})

/** The rows that one `updateAll` changed come in any order. */
const unordered = (result: ReturnType<NaiveModel['commit']>) =>
  result.ok ? { ...result, ids: result.ids.map((ids) => ids.toSorted()) } : result
