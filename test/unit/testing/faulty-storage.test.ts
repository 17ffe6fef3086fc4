import { describe, expect, it } from 'vitest'
import { guardStorage, MemoryStorage, type Write } from '../../../src/storage/index.js'
import { faultyStorage } from '../../../src/testing/index.js'

const event = { id: 'e', type: 't', organizationId: 'o', payload: {} }
const append: Write = { op: 'append', stream: 's', events: [event] }
const lengthOf = async (storage: MemoryStorage) => (await storage.readEvents({ stream: 's' })).length
const outcome = (work: Promise<unknown>) =>
  work.then(
    () => 'ok',
    (error: Error) => error.message,
  )

describe('faultyStorage', () => {
  it('fails the call of the given number, once, before it does anything', async () => {
    const storage = new MemoryStorage()
    const faulty = faultyStorage(storage, { failAtCall: 2 })
    await faulty.open()
    expect(await outcome(faulty.commit([append]))).toBe('ok')
    expect(await outcome(faulty.commit([append]))).toBe('Call 2 of the storage, commit(), was made to fail')
    expect(await outcome(faulty.now())).toBe('ok')
    expect([await lengthOf(storage), faulty.calls]).toEqual([1, 3])
  })

  it('can lose the answer of a call that was applied', async () => {
    const storage = new MemoryStorage()
    const faulty = faultyStorage(storage, { failAtCall: 1, when: 'after' })
    expect(await outcome(faulty.commit([append]))).toContain('made to fail')
    expect(await lengthOf(storage)).toBe(1)
  })

  it('can stay broken, as for a process that died: later calls do nothing', async () => {
    const storage = new MemoryStorage()
    const faulty = faultyStorage(storage, { failAtCall: 1, when: 'after', fails: 'onwards' })
    for (let call = 0; call < 3; call++) expect(await outcome(faulty.commit([append]))).toContain('made to fail')
    expect(await lengthOf(storage)).toBe(1)
  })

  it('counts only the calls it is told to, and throws what it is told to', async () => {
    const cause = new Error('ECONNRESET')
    const faulty = faultyStorage(new MemoryStorage(), { failAtCall: 2, calls: ['commit'], error: () => cause })
    await faulty.get('runs', 'a')
    await faulty.find({ table: 'runs' })
    await faulty.count('runs')
    await faulty.readEvents({ stream: 's' })
    await faulty.commit([append])
    expect(faulty.calls).toBe(1)
    await expect(faulty.commit([append])).rejects.toBe(cause)
  })

  it('can be reset, and works under the guard with its subscriptions', async () => {
    const faulty = faultyStorage(new MemoryStorage(), { failAtCall: 1 })
    const guard = guardStorage(faulty)
    await guard.open()
    await expect(guard.now()).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    faulty.reset()
    await guard.now()
    expect(faulty.calls).toBe(1)
    const wakes: unknown[] = []
    await guard.subscribe?.((wake) => wakes.push(wake))
    await guard.commit([append])
    expect(wakes).toEqual([{ stream: 's' }])
  })
})
