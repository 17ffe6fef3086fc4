import assert from 'node:assert/strict'
import { increment, type Storage, storageNow, type Write } from '../../../../src/storage/index.js'
import { append, aRun, type ContractCase, insertRun, rejectsWith } from './contract.js'

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

export const refusalCases: ContractCase[] = [
  ...invalidBatches.map(([name, batch]): ContractCase => {
    return {
      name: `${name}: an error before anything is sent`,
      async run(storage) {
        await rejectsWith('STORAGE_INVALID_BATCH', () => storage.commit([insertRun('witness'), ...batch]))
        assert.equal(await storage.count('runs'), 0)
      },
    }
  }),
  ...invalidRows.map(([name, batch, column]): ContractCase => {
    return {
      name: `${name}: refused naming the column`,
      async run(storage) {
        const error = await rejectsWith('STORAGE_INVALID_ROW', () => storage.commit([insertRun('witness'), batch]))
        assert.equal(error.details.column, column)
        assert.equal(await storage.count('runs'), 0)
      },
    }
  }),
  ...invalidQueries.map(([name, query, column]): ContractCase => {
    return {
      name: `${name}: an invalid query`,
      async run(storage) {
        const error = await rejectsWith('STORAGE_INVALID_QUERY', () => query(storage))
        assert.equal(error.details.column, column)
      },
    }
  }),
  {
    name: 'open and close can be repeated; after close every call is refused',
    async run(storage) {
      await Promise.all([storage.open(), storage.open()])
      await Promise.all([storage.close(), storage.close()])
      await storage.close()
      const calls: (() => Promise<unknown>)[] = [
        () => storage.now(),
        () => storage.get('runs', 'a'),
        () => storage.find({ table: 'runs' }),
        () => storage.count('runs'),
        () => storage.commit([]),
        () => storage.readEvents({ stream: 's' }),
        () => storage.subscribe?.(() => {}) ?? storage.now(),
      ]
      for (const call of calls) await rejectsWith('STORAGE_CLOSED', call)
    },
  },
]
