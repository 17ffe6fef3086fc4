import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sqlite from 'node-sqlite3-wasm'
import { describe, expect, it } from 'vitest'
import { SqliteStorage } from '../../../examples/custom-storage.js'
import { WorkflowEngine } from '../../../src/engine/index.js'
import { storageContract } from '../../../src/testing/index.js'

describe('the example of a custom storage', () => {
  storageContract({
    test: it,
    factory: () => {
      const directory = mkdtempSync(join(tmpdir(), 'runwright-sqlite-'))
      const file = join(directory, 'runs.db')
      return {
        file,
        storage: new SqliteStorage({ file }),
        another: () => new SqliteStorage({ file }),
        cleanup: () => rmSync(directory, { recursive: true }),
      }
    },
    capabilities: { durable: true, shared: false, notify: true },
    inspect: async ({ file }, what) => {
      const reader = new sqlite.Database(file, { readOnly: true })
      try {
        if ('stream' in what) return reader.all('SELECT * FROM events WHERE stream = ?', [what.stream])
        return reader.all(`SELECT * FROM "${what.table}"`)
      } finally {
        reader.close()
      }
    },
  })

  it('takes a database that lacks the columns of a later version', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'runwright-sqlite-'))
    const file = join(directory, 'runs.db')
    try {
      const first = new SqliteStorage({ file })
      await first.open()
      await first.close()
      const db = new sqlite.Database(file)
      db.exec('ALTER TABLE runs DROP COLUMN "failureReason"; ALTER TABLE runs DROP COLUMN "stepCount"')
      db.close()
      const second = new SqliteStorage({ file })
      await second.open()
      expect(await second.count('runs', { failureReason: { isNull: true }, stepCount: { eq: 0 } })).toBe(0)
      await second.close()
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

describe('an engine on the example', () => {
  it('runs a workflow', async () => {
    const storage = new SqliteStorage()
    const engine = new WorkflowEngine({ storage, organizationId: 'org', handlers: { answer: () => 42 } })
    await engine.start()
    const definition = { blocks: [{ type: 'code' as const, label: 'one', handler: 'answer' }] }
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'One', definition })
    const { status, outputs } = await (await engine.startRun({ workflowPermanentId })).result()
    expect([status, outputs]).toEqual(['completed', { one_output: 42 }])
    await engine.stop()
    await storage.close()
  })
})

it('is short enough to be read in one go', async () => {
  const text = await readFile(new URL('../../../examples/custom-storage.ts', import.meta.url), 'utf8')
  expect(text.split('\n').length).toBeLessThanOrEqual(401)
})
