import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/runtime/index.js'
import { MemoryStorage, type Storage, type StorageCapabilities } from '../../../src/storage/index.js'
import { type ContractStorage, type StorageContractOptions, storageContract } from '../../../src/testing/index.js'
import { instanceOf, mutants } from './storage-mutants.js'

const memoryLike: StorageCapabilities = { durable: false, shared: false, notify: true }
const serverLike: StorageCapabilities = { durable: true, shared: true, notify: true }

type Cases = { name: string; run: () => Promise<void> }[]

/** The cases of the suite, as a runner is handed them. */
function casesOf(options: Omit<StorageContractOptions, 'test'>): Cases {
  const cases: Cases = []
  storageContract({ ...options, test: (name, run) => cases.push({ name, run }) })
  return cases
}

/** Names and messages of the cases that fail, among those whose name holds `part`. */
async function failuresOf(options: Omit<StorageContractOptions, 'test'>, part = ''): Promise<{ name: string; message: string }[]> {
  const failures: { name: string; message: string }[] = []
  for (const { name, run } of casesOf(options).filter((one) => one.name.includes(part)))
    await run().catch((error: Error) => failures.push({ name, message: error.message }))
  return failures
}

/** Not disturbed by what becomes of `Date`: a server's clock. */
const ownClock = { ...systemClock, now: () => new Date(performance.timeOrigin + performance.now()) }

/** Instances of one memory that claim what a database server does; `make` changes each. */
const server = (make: (memory: MemoryStorage, number: number) => Storage) => (): ContractStorage => {
  const memory = new MemoryStorage({ clock: ownClock })
  let count = 0
  return { storage: make(memory, ++count), another: () => make(memory, ++count) }
}

/** No wake-up comes for a mutant that has none: its cases must not wait long. */
const SLOW = 30_000

describe('storageContract', () => {
  it('has nothing against a storage that keeps it, with every claim', async () => {
    expect(await failuresOf({ factory: server((memory) => instanceOf(memory, serverLike)), capabilities: serverLike })).toEqual([])
  })

  it('gives every case a name of its own, and more cases for more claims', () => {
    const names = (capabilities: StorageCapabilities) => casesOf({ factory: () => assertNever(), capabilities }).map(({ name }) => name)
    const all = names(serverLike)
    expect(new Set(all).size).toBe(all.length)
    const none = names({ durable: false, shared: false, notify: false })
    expect(all.filter((name) => !none.includes(name)).every((name) => /^(durable|shared|notify): /.test(name))).toBe(true)
    expect(all.length).toBeGreaterThan(none.length + 7)
  })

  it.each(mutants.map((mutant) => [mutant.fault, mutant] as const))(
    'finds: %s',
    async (_, { make, caughtBy }) => {
      const factory = () => {
        const memory = new MemoryStorage()
        return { storage: instanceOf(memory, memoryLike, make(memory)) }
      }
      const failures = await failuresOf({ factory, capabilities: memoryLike }, caughtBy)
      expect(failures.length).toBeGreaterThan(0)
      for (const { name, message } of failures) expect(message).toContain(`The storage breaks the rule "${name}": `)
    },
    SLOW,
  )

  it('leaves the clock of a storage that several processes of one machine share out of it, when told so', async () => {
    const factory = server(() => instanceOf(machine, serverLike))
    const machine = new MemoryStorage()
    const failures = (clock?: 'machine') => failuresOf({ factory, capabilities: serverLike, ...(clock && { clock }) }, 'whatever the clock')
    expect([(await failures()).length, (await failures('machine')).length]).toEqual([1, 0])
  })

  it('finds claims that are not the adapter’s own', async () => {
    const factory = () => ({ storage: new MemoryStorage() })
    const failures = await failuresOf({ factory, capabilities: { durable: false, shared: false, notify: false } })
    expect(failures.map(({ name }) => name)).toEqual(['the adapter claims the capabilities that the suite was told'])
  })

  it('takes a claim that nothing shows for a failure', async () => {
    const factory = () => ({ storage: instanceOf(new MemoryStorage({ clock: ownClock }), serverLike) })
    const failures = await failuresOf({ factory, capabilities: serverLike })
    expect(failures).toHaveLength(8)
    for (const { message } of failures) expect(message).toContain('factory() gave no `another` to show it with')
  })

  it('finds a claim of notify without subscribe', async () => {
    const claims = { durable: false, shared: false, notify: true }
    const factory = () => ({ storage: instanceOf(new MemoryStorage(), claims, { subscribe: undefined as never }) })
    const failures = await failuresOf({ factory, capabilities: claims })
    expect(failures.map(({ message }) => message)).toContainEqual(expect.stringContaining('there is no subscribe()'))
  })

  const brokenServers: [fault: string, caughtBy: string, factory: () => ContractStorage][] = [
    ['each instance has data of its own', 'durable: what was committed', server(() => instanceOf(new MemoryStorage(), serverLike))],
    [
      'a closed instance forgets',
      'durable: what was committed',
      () => {
        const memory = new MemoryStorage()
        const empty = memory.snapshot()
        const make = () => instanceOf(memory, serverLike, { close: async () => memory.restore(empty) })
        return { storage: make(), another: make }
      },
    ],
    [
      'conditions are tested by a read before the write',
      'exactly one wins each',
      server((memory) =>
        instanceOf(memory, serverLike, {
          commit: async (batch) => {
            const tested = await memory.commit(
              batch.filter((write) => write.op === 'update').map((write) => ({ ...write, set: {} }) as never),
            )
            if (!tested.ok) return memory.commit(batch)
            await Promise.resolve()
            return memory.commit(batch.map((write) => (write.op === 'update' ? ({ ...write, where: {} } as never) : write)))
          },
        }),
      ),
    ],
    [
      'an instance keeps what it read',
      'the others see at once',
      server((memory) => {
        const cache = new Map<string, unknown>()
        return instanceOf(memory, serverLike, {
          get: async (table, id) => {
            if (!cache.has(id)) cache.set(id, await memory.get(table, id))
            return structuredClone(cache.get(id)) as never
          },
        })
      }),
    ],
    [
      'only the first to open succeeds',
      'eight instances that open',
      server((memory, number) =>
        instanceOf(memory, serverLike, {
          open: async () => {
            if (number > 1) throw new Error('relation "runs" already exists')
          },
        }),
      ),
    ],
    [
      'the clock is the host’s',
      'the clock is the storage’s own',
      server((memory) => instanceOf(memory, serverLike, { now: async () => new Date() })),
    ],
    [
      'other instances are not woken',
      'a subscriber of another instance',
      server((memory, number) => instanceOf(memory, serverLike, number === 1 ? {} : { subscribe: async () => async () => {} })),
    ],
    [
      '`another` is the same instance',
      'durable: what was committed',
      () => {
        const storage = instanceOf(new MemoryStorage(), serverLike)
        return { storage, another: () => storage }
      },
    ],
  ]
  it.each(brokenServers)(
    'finds, among several instances: %s',
    async (_, caughtBy, factory) => {
      expect((await failuresOf({ factory, capabilities: serverLike }, caughtBy)).length).toBeGreaterThan(0)
    },
    SLOW,
  )

  it('finds an adapter that lies, by a second reader of its database', async () => {
    const factory = () => {
      const memory = new MemoryStorage()
      const kept = new MemoryStorage()
      return { storage: instanceOf(memory, memoryLike), database: kept }
    }
    const inspect = async (fixture: ContractStorage & { database?: MemoryStorage }) => fixture.database?.snapshot().tables.runs ?? []
    const failures = await failuresOf({ factory, capabilities: memoryLike, inspect })
    expect(failures.map(({ name }) => name)).toEqual([expect.stringContaining('inspected: the database holds what was committed')])
  })

  it('cleans up after every case, a failed one too, and reports a clean-up that fails', async () => {
    const cleaned: string[] = []
    const factory = () => {
      const storage = instanceOf(new MemoryStorage(), memoryLike, {
        count: async () => {
          throw new Error('no such table')
        },
        close: async () => void cleaned.push('close'),
      })
      return { storage, cleanup: () => cleaned.push('cleanup') }
    }
    const counting = casesOf({ factory, capabilities: memoryLike }).find(({ name }) => name.includes('a batch of 300 writes'))
    await expect(counting?.run()).rejects.toMatchObject({
      name: 'AssertionError',
      message: expect.stringMatching(/^The storage breaks the rule "a batch of 300 writes is one commit": .*no such table/),
    })
    expect(cleaned).toEqual(['close', 'cleanup'])
    const leaky = () => ({ storage: new MemoryStorage(), cleanup: () => Promise.reject(new Error('database is in use')) })
    const [first] = casesOf({ factory: leaky, capabilities: memoryLike })
    await expect(first?.run()).rejects.toThrow('database is in use')
  })
})

function assertNever(): never {
  throw new Error('no storage is wanted before a case runs')
}
