import { describe, it } from 'vitest'
import { guardStorage, MemoryStorage } from '../../../src/storage/index.js'
import { contractCases } from './contract-cases.js'

describe('MemoryStorage keeps the contract of storages', () => {
  for (const { name, run } of contractCases) {
    it(name, async () => {
      const storage = guardStorage(new MemoryStorage())
      await storage.open()
      try {
        await run(storage)
      } finally {
        await storage.close()
      }
    })
  }
})
