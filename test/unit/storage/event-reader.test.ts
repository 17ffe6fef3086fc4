import { describe, expect, it } from 'vitest'
import { guardStorage, MemoryStorage, type ReadStreamParams, readStream, type Storage, type Wake } from '../../../src/storage/index.js'
import { FakeClock } from '../../../src/testing/index.js'
import { append } from './contract/contract.js'

type Deliver = (wake: Wake, onWake: (wake: Wake) => void) => void

/** A storage whose wake-ups go through `deliver`, and which counts its readers and reads. */
function wired(deliver: Deliver, beforeAnswer: () => Promise<unknown> = async () => {}) {
  const memory = new MemoryStorage()
  const figures = { subscribers: 0, reads: 0 }
  const storage: Storage = {
    capabilities: memory.capabilities,
    open: () => memory.open(),
    close: () => memory.close(),
    now: () => memory.now(),
    get: (table, id) => memory.get(table, id),
    find: (params) => memory.find(params),
    count: (table, where) => memory.count(table, where),
    commit: (batch) => memory.commit(batch),
    readEvents: async (params) => {
      figures.reads++
      const events = await memory.readEvents(params)
      await beforeAnswer()
      return events
    },
    subscribe: async (onWake) => {
      figures.subscribers++
      const leave = await memory.subscribe((wake) => deliver(wake, onWake))
      return async () => {
        figures.subscribers--
        await leave()
      }
    },
  }
  return { memory, storage, figures }
}

const once: Deliver = (wake, onWake) => onWake(wake)
const lost: Deliver = () => {}
const ids = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => `e${from + index}`)

async function collect(params: Omit<ReadStreamParams, 'stream'>): Promise<number[]> {
  const seqs: number[] = []
  for await (const event of readStream({ stream: 's', ...params })) seqs.push(event.seq)
  return seqs
}

const until = (last: number) => (event: { seq: number }) => event.seq === last
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

describe('readStream', () => {
  it('replays what is stored, from any place, in pages, and ends after the last event', async () => {
    const { memory, storage, figures } = wired(once)
    await memory.commit([append('s', ...ids(1, 2_500))])
    expect(await collect({ storage, isLast: until(2_500) })).toEqual(upTo(2_500))
    expect(await collect({ storage, after: 2_498, isLast: until(2_500) })).toEqual([2_499, 2_500])
    expect(figures).toEqual({ subscribers: 0, reads: 4 })
  })

  const wirings: [name: string, deliver: Deliver][] = [
    ['each wake-up once', once],
    [
      'each wake-up twice, one of them late',
      (wake, onWake) => {
        onWake(wake)
        setImmediate(() => onWake(wake))
      },
    ],
    ['every wake-up late', (wake, onWake) => void setImmediate(() => onWake(wake))],
    ['wake-ups that name nothing', (_, onWake) => onWake({})],
    ['no wake-up', lost],
    [
      'every third wake-up',
      (() => {
        let count = 0
        return (wake, onWake) => {
          if (++count % 3 === 0) onWake(wake)
        }
      })(),
    ],
  ]
  it.each(wirings)('gives every event once and in order to readers that come at any time: %s', async (_, deliver) => {
    const { memory, storage, figures } = wired(deliver)
    const readers: Promise<number[]>[] = []
    const write = async (writer: number) => {
      for (let n = 0; n < 40; n++) {
        await memory.commit([append('s', `w${writer}.${n}`), append('other', 'x')])
        if (n % 10 === writer) readers.push(collect({ storage, pollMs: 5, isLast: until(160) }))
        if (n % 7 === writer) await new Promise(setImmediate)
      }
    }
    await Promise.all([0, 1, 2, 3].map(write))
    expect(readers).toHaveLength(16)
    for (const seqs of await Promise.all(readers)) expect(seqs).toEqual(upTo(160))
    expect(figures.subscribers).toBe(0)
  })

  it('misses nothing that is appended between a read and its answer, where nothing was found', async () => {
    let appends = 0
    const clock = new FakeClock()
    const { memory, storage } = wired(once, async () => {
      if (appends < 5) await memory.commit([append('s', `e${++appends}`)]) // stored after the read, heard of before its answer
    })
    expect(await collect({ storage, clock, isLast: until(5) })).toEqual(upTo(5)) // the clock stands still: wake-ups alone carry it
    expect(clock.pendingTimers).toBe(0)
  })

  it('asks again after its polling time when no wake-up comes, and not before', async () => {
    const clock = new FakeClock()
    const { memory, storage, figures } = wired(lost)
    const reading = collect({ storage, clock, pollMs: 1_000, isLast: until(1) })
    await clock.advance(0)
    await memory.commit([append('s', 'e1')])
    await clock.advance(999)
    expect(figures.reads).toBe(1)
    await clock.advance(1)
    expect(await reading).toEqual([1])
  })

  it('follows a storage that wakes nobody', async () => {
    const clock = new FakeClock()
    const { memory, storage } = wired(once)
    const { subscribe: _, ...mute } = storage
    const reading = collect({ storage: mute, clock, isLast: until(2) })
    for (const id of ['e1', 'e2']) {
      await memory.commit([append('s', id)])
      await clock.advance(1_000)
    }
    expect(await reading).toEqual([1, 2])
  })

  it('is not woken by other streams and by rows', async () => {
    const clock = new FakeClock()
    const { memory, storage, figures } = wired(once)
    const reading = collect({ storage, clock, isLast: until(1) })
    await clock.advance(0)
    for (let n = 0; n < 5; n++) await memory.commit([append('other', 'x')])
    await clock.advance(0)
    expect(figures.reads).toBe(1)
    await memory.commit([append('s', 'e1')])
    expect(await reading).toEqual([1])
  })

  it('ends with the reason of its signal, at once, while it waits and between events; nothing is left behind', async () => {
    const clock = new FakeClock()
    const { memory, storage, figures } = wired(once)
    const controller = new AbortController()
    const reason = new Error('enough')
    const waiting = collect({ storage, clock, signal: controller.signal })
    await clock.advance(0)
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    await expect(collect({ storage, clock, signal: controller.signal })).rejects.toBe(reason)
    await memory.commit([append('s', 'e1', 'e2')])
    const between = new AbortController()
    const seen: number[] = []
    const reading = (async () => {
      for await (const event of readStream({ storage, stream: 's', clock, signal: between.signal })) {
        seen.push(event.seq)
        between.abort(reason)
      }
    })()
    await expect(reading).rejects.toBe(reason)
    expect([seen, figures.subscribers, clock.pendingTimers]).toEqual([[1], 0, 0])
  })

  it('leaves when its reader does, and passes a failure of the storage on', async () => {
    const { memory, storage, figures } = wired(once)
    await memory.commit([append('s', 'e1', 'e2')])
    for await (const event of readStream({ storage, stream: 's' })) if (event.seq === 1) break
    expect(figures.subscribers).toBe(0)
    const failing = { ...storage, readEvents: () => Promise.reject(new Error('gone')) }
    await expect(collect({ storage: failing })).rejects.toThrow('gone')
    expect(figures.subscribers).toBe(0)
  })

  it('ends with STORAGE_CLOSED when its storage is closed under it', async () => {
    const clock = new FakeClock()
    const storage = guardStorage(new MemoryStorage())
    await storage.open()
    const reading = collect({ storage, clock })
    const outcome = reading.catch((error: unknown) => error)
    await clock.advance(0)
    await storage.close()
    await clock.advance(1_000)
    expect(await outcome).toMatchObject({ code: 'STORAGE_CLOSED' })
    expect(clock.pendingTimers).toBe(0)
  })
})
