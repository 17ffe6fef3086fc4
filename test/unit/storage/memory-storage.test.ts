import { describe, it } from 'vitest'
import { MemoryStorage } from '../../../src/storage/index.js'
import { storageContract } from '../../../src/testing/index.js'

describe('MemoryStorage keeps the contract of storages', () => {
  storageContract({
    test: it,
    factory: () => {
      const storage = new MemoryStorage()
      return { storage }
    },
    capabilities: { durable: false, shared: false, notify: true },
    inspect: async ({ storage }, what) => {
      const { tables, streams } = storage.snapshot()
      return ('table' in what ? tables[what.table] : (streams[what.stream] ?? [])) as never
    },
  })
})
