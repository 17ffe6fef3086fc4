import assert from 'node:assert/strict'
import { increment, type Storage, storageNow, type Write } from '../../storage/index.js'
import { type ContractCase, rejectsWith } from './kit.js'
import { anEvent, append, aRun, insertRun } from './samples.js'

const write = (value: unknown) => value as Write
const insertWith = (values: Record<string, unknown>) => write({ op: 'insert', table: 'runs', row: { ...aRun('a'), ...values } })
const updateWith = (set: Record<string, unknown>) => write({ op: 'update', table: 'runs', id: 'a', set })

const invalidBatches: [name: string, batch: Write[]][] = [
  ['a row inserted twice', [insertRun('a'), insertRun('a')]],
  ['a row updated and deleted', [updateWith({ priority: 1 }), { op: 'delete', table: 'runs', id: 'a' }]],
  ['a row in `rows` and elsewhere', [{ op: 'updateAll', table: 'runs', rows: [{ id: 'a' }], set: {} }, updateWith({})]],
  ['a row twice in `rows`', [{ op: 'updateAll', table: 'runs', rows: [{ id: 'a' }, { id: 'a' }], set: {} }]],
  ['a stream appended to and deleted', [append('s', 'e'), { op: 'deleteStream', stream: 's' }]],
  [
    'a stream deleted twice',
    [
      { op: 'deleteStream', stream: 's' },
      { op: 'deleteStream', stream: 's' },
    ],
  ],
  ['an unknown op', [write({ op: 'upsert', table: 'runs' })]],
  ['a stream without a name', [append('', 'e')]],
]

const invalidRows: [name: string, batch: Write, column: string][] = [
  ['a missing required column', insertWith({ status: undefined }), 'status'],
  ['null in a required column', insertWith({ status: null }), 'status'],
  ['a number as text', insertWith({ status: 3 }), 'status'],
  ['a fraction as int', insertWith({ priority: 1.5 }), 'priority'],
  ['an unsafe int', insertWith({ priority: 2 ** 53 }), 'priority'],
  ['NaN as float', insertWith({ durationMs: Number.NaN }), 'durationMs'],
  ['a string as bool', insertWith({ ownsSession: 'yes' }), 'ownsSession'],
  ['a string as instant', insertWith({ createdAt: '2026-01-01' }), 'createdAt'],
  ['an invalid Date', insertWith({ createdAt: new Date(Number.NaN) }), 'createdAt'],
  ['an increment in an insert', insertWith({ priority: increment() }), 'priority'],
  ['storageNow in a text column', insertWith({ status: storageNow() }), 'status'],
  ['a wrong kind in a set', updateWith({ priority: '1' }), 'priority'],
  ['null for a required column in a set', updateWith({ status: null }), 'status'],
  ['a fraction added to an int', updateWith({ priority: increment(0.5) }), 'priority'],
  ['the primary key in a set', updateWith({ workflowRunId: 'b' }), 'workflowRunId'],
  ['an event without a type', write({ op: 'append', stream: 's', events: [{ id: 'e', organizationId: 'o', payload: {} }] }), 'type'],
  ['an event without a payload', write({ op: 'append', stream: 's', events: [{ id: 'e', type: 't', organizationId: 'o' }] }), 'payload'],
]

type Query = (storage: Storage) => Promise<unknown>
const where = (condition: unknown) => (storage: Storage) => storage.find({ table: 'runs', where: condition as never })

const invalidQueries: [name: string, query: Query, column?: string][] = [
  ['an unknown table', (storage) => storage.get('nope' as never, 'a')],
  ['an unknown table in a batch', (storage) => storage.commit([write({ op: 'delete', table: 'constructor', id: 'a' })])],
  ['an unknown column in a row', (storage) => storage.commit([insertWith({ colour: 'red' })]), 'colour'],
  ['an unknown column in a set', (storage) => storage.commit([updateWith({ colour: 'red' })]), 'colour'],
  ['an unknown column in a condition', where({ colour: 'red' }), 'colour'],
  ['a name that every object has', where({ toString: 'x' }), 'toString'],
  ['an unknown operator', where({ status: { like: '%' } }), 'status'],
  ['an operand of another kind', where({ priority: { gt: '1' } }), 'priority'],
  ['a plain value of another kind', where({ priority: '1' }), 'priority'],
  ['null as an operand', where({ status: { eq: null } }), 'status'],
  ['null in a list', where({ status: { in: [null] } }), 'status'],
  ['a list that is none', where({ status: { in: 'queued' } }), 'status'],
  ['contains on a number', where({ priority: { contains: '1' } }), 'priority'],
  ['a comparison of JSON', where({ parameters: { eq: {} } }), 'parameters'],
  ['a comparison with an increment', where({ priority: increment() }), 'priority'],
  ['isNull with another value', where({ status: { isNull: 'no' } }), 'status'],
  ['any that is no list', where({ any: { priority: 1 } }), 'any'],
  ['an unknown column within any', where({ any: [{ colour: 'red' }] }), 'colour'],
  ['an unknown column in count', (storage) => storage.count('runs', { colour: 'red' } as never), 'colour'],
  ['an unknown column in orderBy', (storage) => storage.find({ table: 'runs', orderBy: [{ column: 'colour' as never }] }), 'colour'],
  ['an order by JSON', (storage) => storage.find({ table: 'runs', orderBy: [{ column: 'parameters' }] }), 'parameters'],
  [
    'an unknown direction',
    (storage) => storage.find({ table: 'runs', orderBy: [{ column: 'status', direction: 'up' as never }] }),
    'status',
  ],
  ['limit 0', (storage) => storage.find({ table: 'runs', limit: 0 })],
  ['limit 10,001', (storage) => storage.find({ table: 'runs', limit: 10_001 })],
  ['a limit of events that is too high', (storage) => storage.readEvents({ stream: 's', limit: 10_001 })],
  ['reading events after -1', (storage) => storage.readEvents({ stream: 's', after: -1 })],
  ['an id that is no string', (storage) => storage.get('runs', 1 as never), 'workflowRunId'],
]

const notJson: [name: string, value: unknown][] = [
  ['undefined in an array', [1, undefined]],
  ['a function', { call: () => 1 }],
  ['NaN', { n: Number.NaN }],
  ['infinity', [Number.POSITIVE_INFINITY]],
  ['a BigInt', { n: 1n }],
  ['a Date', { at: new Date(0) }],
  [
    'a class instance',
    new (class Point {
      x = 1
    })(),
  ],
  ['a Map', new Map()],
  ['a symbol', { s: Symbol('s') }],
  [
    'a cycle',
    (() => {
      const cycle: Record<string, unknown> = {}
      cycle.self = cycle
      return cycle
    })(),
  ],
]

/** What is no valid call at all is refused before anything of it is sent. The guard does this for every adapter. */
export const invalidCases: ContractCase[] = [
  {
    name: 'a batch that names a row or a stream twice is an error before anything is sent',
    async run(storage) {
      for (const [what, batch] of invalidBatches) {
        await rejectsWith('STORAGE_INVALID_BATCH', what, () => storage.commit([insertRun('witness'), ...batch]))
        assert.equal(await storage.count('runs'), 0, what)
      }
    },
  },
  {
    name: 'a value that does not fit its column is refused, naming the column',
    async run(storage) {
      for (const [what, batch, column] of invalidRows) {
        const error = await rejectsWith('STORAGE_INVALID_ROW', what, () => storage.commit([insertRun('witness'), batch]))
        assert.equal(error.details.column, column, what)
        assert.equal(await storage.count('runs'), 0, what)
      }
    },
  },
  {
    name: 'what JSON cannot carry is refused before anything is written',
    async run(storage) {
      for (const [what, value] of notJson) {
        const row = { ...aRun('a'), parameters: { value } as never }
        const insert: Write = { op: 'insert', table: 'runs', row }
        const error = await rejectsWith('STORAGE_INVALID_ROW', what, () => storage.commit([append('s', 'e'), insert]))
        assert.deepEqual([error.details.table, error.details.column], ['runs', 'parameters'], what)
        const events = [anEvent('e', { value } as never)]
        await rejectsWith('STORAGE_INVALID_ROW', what, () => storage.commit([{ op: 'append', stream: 's', events }]))
        assert.deepEqual(await storage.readEvents({ stream: 's' }), [], what)
      }
    },
  },
  {
    name: 'a query that does not fit the manifest is refused, naming the column',
    async run(storage) {
      for (const [what, query, column] of invalidQueries) {
        const error = await rejectsWith('STORAGE_INVALID_QUERY', what, () => query(storage))
        assert.equal(error.details.column, column, what)
      }
    },
  },
]
