import assert from 'node:assert/strict'
import { StorageError } from '../../errors/index.js'
import type { AnyRow, CommitResult, RunRow, Storage, StorageCapabilities, TableName, Write } from '../../storage/index.js'

/** One promise of the contract. `run` throws where it is broken. */
export interface ContractCase {
  /** The rule, as a sentence. */
  readonly name: string
  /** The claim that the case proves; it is left out where the adapter does not make it. */
  readonly needs?: keyof StorageCapabilities
  /** Left out where the clock of the machine is the storage's. */
  readonly needsOwnClock?: boolean
  /** The case is handed its storage before it is opened. */
  readonly startsClosed?: boolean
  /** Is handed a fresh storage behind the guard, open unless `startsClosed`. */
  readonly run: (storage: Storage, context: ContractContext) => Promise<void>
}

/** What a case has beside its storage. */
export interface ContractContext {
  /** As the caller of the suite claims them. */
  readonly capabilities: StorageCapabilities
  /** The adapter itself, without the guard. */
  readonly adapter: Storage
  /** A further instance on the same data, behind its own guard, not opened; it is closed after the case. */
  readonly another: () => Promise<Storage>
  /** What another reader finds in the database; undefined where the caller gave none. */
  readonly inspect: ((what: InspectedPart) => Promise<InspectedRows>) | undefined
}

/** Which part of a database to read past the adapter: the rows of a table, or the events of a stream. */
export type InspectedPart = { readonly table: TableName } | { readonly stream: string }

/** Rows with the manifest's column names, or events with `seq` and `id`; in any order, values as the database gives them. */
export type InspectedRows = readonly Readonly<Record<string, unknown>>[]

export type Refusal = Extract<CommitResult, { ok: false }>

/** Commits and expects it to be applied. */
export async function applied(storage: Storage, ...batch: Write[]): Promise<Extract<CommitResult, { ok: true }>> {
  const result = await storage.commit(batch)
  assert.ok(result.ok, `a batch that should apply was refused: ${JSON.stringify(result)}`)
  return result
}

/** Commits and expects it to be refused. */
export async function refused(storage: Storage, ...batch: Write[]): Promise<Refusal> {
  const result = await storage.commit(batch)
  assert.ok(!result.ok, 'a batch was applied, although it should have been refused')
  return result
}

/** Expects a coded storage error; returns it. */
export async function rejectsWith(code: string, what: string, work: () => Promise<unknown>): Promise<StorageError> {
  const caught = await work().then(
    () => assert.fail(`${what}: nothing was thrown instead of ${code}`),
    (error: unknown) => error,
  )
  assert.ok(caught instanceof StorageError, `${what}: not a StorageError but ${String(caught)}`)
  assert.equal(caught.code, code, `${what}: ${caught.message}`)
  return caught
}

export async function getRun(storage: Storage, id: string): Promise<RunRow> {
  const run = await storage.get('runs', id)
  assert.ok(run !== undefined, `there is no run ${id}`)
  return run
}

/** Ids of the runs that a query finds, in its order. */
export async function runIds(storage: Storage, params: Omit<Parameters<typeof storage.find<'runs'>>[0], 'table'>): Promise<string[]> {
  return (await storage.find({ ...params, table: 'runs' })).map((run) => run.workflowRunId)
}

/** Ids of the runs among the rows of one write. */
export const idsOf = (rows: readonly AnyRow[] | undefined): string[] => (rows ?? []).map((row) => (row as RunRow).workflowRunId)

/** The one row of a write. */
export function onlyRow(rows: readonly (readonly AnyRow[])[], index = 0): AnyRow {
  const row = rows[index]?.[0]
  assert.ok(row !== undefined && rows[index]?.length === 1, `write ${index} gave back ${rows[index]?.length ?? 'no'} rows instead of one`)
  return row
}

/** Sequence numbers of a whole stream. */
export async function seqsOf(storage: Storage, stream: string): Promise<number[]> {
  return (await storage.readEvents({ stream, limit: 10_000 })).map((event) => event.seq)
}

/** 1, 2, … `count`. */
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)

export const sorted = (values: readonly string[]): string[] => [...values].sort()

/** Several open instances on the same data; the first is the case's own. */
export async function instances(storage: Storage, { another }: ContractContext, count: number): Promise<Storage[]> {
  const others = await Promise.all(upTo(count - 1).map(another))
  await Promise.all(others.map((other) => other.open()))
  return [storage, ...others]
}
