import assert from 'node:assert/strict'
import {
  type ColumnMeta,
  type Storage,
  type TableMeta,
  type TableName,
  tableMeta,
  tables,
  type UniqueKey,
  type Write,
} from '../../storage/index.js'
import { applied, type ContractCase, refused } from './kit.js'
import { T0 } from './samples.js'

type Values = Record<string, unknown>

/** Every table of the manifest, so that a new table or column is tested without a new case. */
export const manifestCases: ContractCase[] = Object.keys(tables)
  .map(tableMeta)
  .flatMap((meta) => [everyColumn(meta), ...meta.unique.map((key) => uniqueKey(meta, key))])

function everyColumn(meta: TableMeta): ContractCase {
  const table = meta.name
  return {
    name: `table ${table}: every column keeps its value, is null where it may be, changes, and can be searched`,
    async run(storage) {
      const full = rowOf(meta, 'full')
      const sparse = rowOf(
        meta,
        'sparse',
        Object.fromEntries(meta.columns.filter(({ nullable }) => nullable).map(({ name }) => [name, null])),
      )
      await applied(storage, insert(table, full), insert(table, sparse))
      assert.deepEqual(await storage.get(table, 'full'), full)
      assert.deepEqual(await storage.get(table, 'sparse'), sparse)
      for (const column of meta.columns) {
        if (column.kind !== 'json' && column.kind !== 'bool') {
          assert.deepEqual(await idsWhere(storage, meta, { [column.name]: full[column.name] }), ['full'], `${table}.${column.name} eq`)
        }
        if (column.nullable)
          assert.deepEqual(await idsWhere(storage, meta, { [column.name]: null }), ['sparse'], `${table}.${column.name} null`)
      }
      const set = Object.fromEntries(
        meta.columns.filter(({ name }) => name !== meta.primaryKey).map((column) => [column.name, sampleOf(column, 'new')]),
      )
      const result = await applied(storage, { op: 'update', table, id: 'sparse', set } as unknown as Write)
      assert.deepEqual(result.rows[0]?.[0], { ...sparse, ...set })
      assert.deepEqual(await storage.get(table, 'sparse'), { ...sparse, ...set })
      assert.deepEqual(await storage.get(table, 'full'), full, 'the other row stayed')
    },
  }
}

function uniqueKey(meta: TableMeta, key: UniqueKey): ContractCase {
  const table = meta.name
  const bound = Object.fromEntries(Object.entries(key.where ?? {}).map(([column, wanted]) => [column, [wanted].flat()[0]]))
  return {
    name: `table ${table}: the unique key ${key.name} binds the rows that it should, and no others`,
    async run(storage) {
      const first = rowOf(meta, 'first', bound)
      const same = Object.fromEntries(key.columns.map((column) => [column, first[column]]))
      await applied(storage, insert(table, first))
      const refusal = await refused(storage, insert(table, rowOf(meta, 'second', { ...bound, ...same })))
      assert.deepEqual([refusal.index, refusal.reason, refusal.constraint], [0, 'duplicate', key.name])
      for (const name of key.columns) {
        const column = meta.byName.get(name) as ColumnMeta
        if (name in bound) continue
        await applied(storage, insert(table, rowOf(meta, `other ${name}`, { ...bound, ...same, [name]: sampleOf(column, 'other') })))
        if (!column.nullable) continue
        const nulls = ['one', 'two'].map((id) => insert(table, rowOf(meta, `${id} ${name}`, { ...bound, ...same, [name]: null })))
        await applied(storage, ...nulls)
      }
      for (const [name, wanted] of Object.entries(key.where ?? {})) {
        const column = meta.byName.get(name) as ColumnMeta
        const outside = typeof wanted === 'boolean' ? !wanted : sampleOf(column, 'outside')
        if (!key.columns.includes(name))
          await applied(storage, insert(table, rowOf(meta, `unbound ${name}`, { ...bound, ...same, [name]: outside })))
      }
    },
  }
}

const insert = (table: TableName, row: Values): Write => ({ op: 'insert', table, row }) as unknown as Write

async function idsWhere(storage: Storage, meta: TableMeta, where: Values): Promise<unknown[]> {
  const rows = await storage.find({ table: meta.name, where: where as never })
  return rows.map((row) => (row as unknown as Values)[meta.primaryKey])
}

/** A row with a value in every column; rows of different ids differ in every column but booleans. */
function rowOf(meta: TableMeta, id: string, values: Values = {}): Values {
  const row = Object.fromEntries(meta.columns.map((column) => [column.name, sampleOf(column, id)]))
  return { ...row, [meta.primaryKey]: id, ...values }
}

function sampleOf(column: ColumnMeta, id: string): unknown {
  const number = [...`${column.name} ${id}`].reduce((sum, character, index) => sum + (character.codePointAt(0) ?? 0) * (index + 1), 0)
  switch (column.kind) {
    case 'text':
      return `${column.name} of ${id} Ä 😀`
    case 'int':
      return 2 ** 40 + number
    case 'float':
      return number + 0.125
    case 'bool':
      return id !== 'sparse'
    case 'instant':
      return new Date(T0.getTime() + number)
    case 'json':
      return { [column.name]: [id, number, null] }
  }
}
