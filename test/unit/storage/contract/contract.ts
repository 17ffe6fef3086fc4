import assert from 'node:assert/strict'
import { StorageError } from '../../../../src/errors/index.js'
import type {
  AnyRow,
  ArtifactRow,
  CommitResult,
  NewEvent,
  NewRow,
  RunBlockRow,
  RunRow,
  Storage,
  Write,
} from '../../../../src/storage/index.js'

/** One promise of the contract; `run` is handed a fresh, open storage behind the guard and throws where it is broken. */
export interface ContractCase {
  readonly name: string
  readonly run: (storage: Storage) => Promise<void>
}

/** An instant on the millisecond. */
export const T0 = new Date('2026-03-01T10:00:00.123Z')

export const aRun = (id: string, values: Partial<RunRow> = {}): NewRow<RunRow> => ({
  workflowRunId: id,
  organizationId: 'org',
  workflowId: 'wf_1',
  workflowPermanentId: 'wpid_1',
  workflowTitle: 'Invoices',
  runType: 'workflow',
  status: 'queued',
  parameters: {},
  rootWorkflowRunId: id,
  ownsSession: false,
  priority: 0,
  leaseFence: 0,
  attempt: 0,
  stepCount: 0,
  actionCount: 0,
  createdAt: T0,
  modifiedAt: T0,
  ...values,
})

export const aBlock = (id: string, values: Partial<RunBlockRow> = {}): NewRow<RunBlockRow> => ({
  runBlockId: id,
  organizationId: 'org',
  workflowRunId: 'wr_1',
  label: id,
  type: 'wait',
  status: 'running',
  attempt: 1,
  sequence: 1,
  startedAt: T0,
  ...values,
})

export const anArtifact = (id: string, values: Partial<ArtifactRow> = {}): NewRow<ArtifactRow> => ({
  artifactId: id,
  organizationId: 'org',
  type: 'screenshot',
  storeKey: `org/${id}`,
  filename: 'page.png',
  mimeType: 'image/png',
  size: 1,
  sha256: '00',
  createdAt: T0,
  ...values,
})

export const anEvent = (id: string, payload: NewEvent['payload'] = {}): NewEvent => ({
  id,
  type: 'run.started',
  organizationId: 'org',
  payload,
})

export const insertRun = (id: string, values: Partial<RunRow> = {}): Write => ({ op: 'insert', table: 'runs', row: aRun(id, values) })
export const insertBlock = (id: string, values: Partial<RunBlockRow> = {}): Write => ({
  op: 'insert',
  table: 'run_blocks',
  row: aBlock(id, values),
})
export const append = (stream: string, ...ids: string[]): Write => ({ op: 'append', stream, events: ids.map((id) => anEvent(id)) })

export type Refusal = Extract<CommitResult, { ok: false }>

/** Commits and expects it to be applied. */
export async function applied(storage: Storage, ...batch: Write[]): Promise<Extract<CommitResult, { ok: true }>> {
  const result = await storage.commit(batch)
  assert.ok(result.ok, `refused: ${JSON.stringify(result)}`)
  return result
}

/** Commits and expects it to be refused. */
export async function refused(storage: Storage, ...batch: Write[]): Promise<Refusal> {
  const result = await storage.commit(batch)
  assert.ok(!result.ok, 'applied, although it should have been refused')
  return result
}

/** Expects a coded storage error; returns it. */
export async function rejectsWith(code: string, work: () => Promise<unknown>): Promise<StorageError> {
  let caught: unknown
  await assert.rejects(work, (error) => {
    caught = error
    return true
  })
  assert.ok(caught instanceof StorageError, `not a StorageError: ${String(caught)}`)
  assert.equal(caught.code, code)
  return caught
}

export async function getRun(storage: Storage, id: string): Promise<RunRow> {
  const run = await storage.get('runs', id)
  assert.ok(run !== undefined, `no run ${id}`)
  return run
}

/** Ids of the runs that a query finds, in its order. */
export async function runIds(storage: Storage, params: Omit<Parameters<typeof storage.find<'runs'>>[0], 'table'>): Promise<string[]> {
  return (await storage.find({ ...params, table: 'runs' })).map((run) => run.workflowRunId)
}

export const onlyRow = (rows: readonly (readonly AnyRow[])[], index = 0): AnyRow => {
  const row = rows[index]?.[0]
  assert.ok(row !== undefined && rows[index]?.length === 1)
  return row
}
