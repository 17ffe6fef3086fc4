import { describe, expect, it } from 'vitest'
import { StorageError } from '../../../src/errors/index.js'
import { isOutcomeOpen, isWorthRepeating, toStorageError } from '../../../src/postgres/failures.js'
import { PoolPort } from '../../../src/postgres/from-pool.js'
import { PortFailure } from '../../../src/postgres/port.js'
import { retryRead, retryUnapplied } from '../../../src/postgres/retry.js'
import { systemRandom } from '../../../src/runtime/index.js'
import { FakeClock } from '../../../src/testing/index.js'
import { FakePool, serverError } from './fake-pool.js'

async function openPort(pool: FakePool, prepare = true): Promise<PoolPort> {
  const port = new PoolPort({ pool: async () => pool, isOwned: false, prepare, canListen: true })
  await port.open()
  return port
}

const failing = (error: unknown) => () => {
  throw error
}

describe('PoolPort', () => {
  it('sends one query a statement, prepares what comes again under a name made of its text, and gives the connection back', async () => {
    const pool = new FakePool()
    pool.answer = () => [['1']]
    const port = await openPort(pool)
    expect(await port.query({ text: 'SELECT $1::text', values: ['1'], recurs: true })).toEqual([['1']])
    await port.query({ text: 'SELECT $1::text', values: ['2'], recurs: true })
    await port.query({ text: 'SELECT 3', values: [] })
    await port.query({ text: 'SELECT $1::text', values: ['3'], recurs: true })
    expect(pool.sent).toHaveLength(4)
    expect(pool.sent[0]?.name).toBeUndefined()
    expect(pool.sent[1]?.name).toMatch(/^rw_[0-9a-f]{32}$/)
    expect(pool.sent[3]?.name).toBe(pool.sent[1]?.name)
    expect(pool.sent[2]).toMatchObject({ text: 'SELECT 3', rowMode: 'array' })
    expect(pool.sent[2]?.types?.getTypeParser(1184, 'text')('as it came')).toBe('as it came')
    expect(pool.released).toEqual([false, false, false, false])
  })

  it.each(['26000', '42P05'])(
    'stops preparing when a pooler loses prepared statements (%s), and repeats what was not executed',
    async (code) => {
      const pool = new FakePool()
      pool.answer = (config) => (config.name === undefined ? [['unprepared']] : failing(serverError(code))())
      const port = await openPort(pool)
      const statement = { text: 'SELECT 1', values: [], recurs: true }
      for (let use = 0; use < 3; use++) expect(await port.query(statement)).toEqual([['unprepared']])
      expect(pool.sent.map((config) => config.name !== undefined)).toEqual([false, true, false, false])
    },
  )

  it('prepares nothing where that is turned off', async () => {
    const pool = new FakePool()
    const port = await openPort(pool, false)
    for (let use = 0; use < 3; use++) await port.query({ text: 'SELECT 1', values: [], recurs: true })
    expect(pool.sent.every((config) => config.name === undefined)).toBe(true)
  })

  it('keeps a connection on which a statement failed, and throws away one that is broken', async () => {
    const pool = new FakePool()
    const port = await openPort(pool)
    for (const error of [
      serverError('23505'),
      serverError('57P01', { severity: 'FATAL' }),
      new Error('Connection terminated unexpectedly'),
    ]) {
      pool.answer = failing(error)
      await expect(port.query({ text: 'SELECT 1', values: [] })).rejects.toBeInstanceOf(PortFailure)
    }
    expect(pool.released).toEqual([false, true, true])
  })

  it('says whether a statement may have reached the server', async () => {
    const pool = new FakePool()
    const port = await openPort(pool)
    pool.connectError = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
    const refused = await port.query({ text: 'SELECT 1', values: [] }).catch((failure: unknown) => failure)
    pool.connectError = undefined
    pool.answer = failing(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
    const reset = await port.query({ text: 'SELECT 1', values: [] }).catch((failure: unknown) => failure)
    expect([isOutcomeOpen(refused), isOutcomeOpen(reset)]).toEqual([false, true])
  })

  it('takes a transaction back where its work throws, and throws away a connection that cannot even do that', async () => {
    const pool = new FakePool()
    const port = await openPort(pool)
    const stop = new Error('stop')
    await expect(port.tx(failing(stop) as () => Promise<never>)).rejects.toBe(stop)
    expect(pool.sent.map(({ text }) => text)).toEqual(['BEGIN ISOLATION LEVEL READ COMMITTED', 'ROLLBACK'])
    pool.answer = ({ text }) => (text === 'ROLLBACK' ? failing(new Error('gone'))() : [])
    await expect(port.tx(failing(stop) as () => Promise<never>)).rejects.toBe(stop)
    expect(pool.released).toEqual([false, true])
  })

  it('listens to errors of the pool and of every client while it is open, and leaves a pool that is not its own running', async () => {
    const pool = new FakePool()
    const port = await openPort(pool)
    pool.emit('error', new Error('idle client broke'))
    expect(pool.listenerCount('error')).toBe(1)
    await port.close()
    expect([pool.listenerCount('error'), pool.ended]).toEqual([0, 0])
    await expect(port.query({ text: 'SELECT 1', values: [] })).rejects.toThrow('The pool is closed')
  })
})

describe('failures', () => {
  const codeOf = (error: unknown) => {
    const mapped = toStorageError(new PortFailure(error, { wasSent: true }), 'commit()')
    return StorageError.is(mapped) ? [mapped.code, mapped.retryable] : mapped
  }

  it('are coded by what a caller can do about them', () => {
    expect(codeOf(serverError('53100'))).toEqual(['STORAGE_UNAVAILABLE', true]) // disk full
    expect(codeOf(serverError('53300'))).toEqual(['STORAGE_UNAVAILABLE', true]) // too many connections
    expect(codeOf(serverError('57P03', { severity: 'FATAL' }))).toEqual(['STORAGE_UNAVAILABLE', true])
    expect(codeOf(serverError('25006'))).toEqual(['STORAGE_UNAVAILABLE', true]) // a replica
    expect(codeOf(serverError('57014'))).toEqual(['STORAGE_TIMEOUT', true])
    expect(codeOf(serverError('55P03'))).toEqual(['STORAGE_TIMEOUT', true])
    expect(codeOf(serverError('22003'))).toEqual(['STORAGE_INVALID_ROW', false])
    expect(codeOf(serverError('23514'))).toEqual(['STORAGE_INVALID_ROW', false])
    expect(codeOf(serverError('42P01'))).toEqual(['STORAGE_MIGRATION_MISSING', false])
    expect(codeOf(serverError('42501'))).toEqual(['STORAGE_FAILED', false])
    expect(codeOf(new Error('Connection terminated unexpectedly'))).toEqual(['STORAGE_UNAVAILABLE', true])
  })

  it('leave the outcome open only where the server did not refuse the statement', () => {
    const sent = (error: unknown) => isOutcomeOpen(new PortFailure(error, { wasSent: true }))
    expect(sent(serverError('53100'))).toBe(false)
    expect(sent(serverError('57P01', { severity: 'FATAL' }))).toBe(true)
    expect(sent(new Error('read ECONNRESET'))).toBe(true)
    expect(isOutcomeOpen(new PortFailure(new Error('x'), { wasSent: false }))).toBe(false)
  })

  it('are repeated only where nothing was applied: conflicts, and connections that were never made', async () => {
    const clock = new FakeClock()
    const tools = { clock, random: systemRandom }
    const attempts = async (error: unknown, retry: typeof retryRead) => {
      let count = 0
      const work = retry(tools, async () => {
        count++
        throw error
      }).catch(() => {})
      for (let turn = 0; turn < 20; turn++) await clock.advance(5_000)
      await work
      return count
    }
    const sent = (error: unknown) => new PortFailure(error, { wasSent: true })
    const unsent = (error: unknown) => new PortFailure(error, { wasSent: false })
    expect(isWorthRepeating(sent(serverError('40P01')))).toBe(true)
    expect(await attempts(sent(serverError('40001')), retryUnapplied)).toBe(9)
    expect(await attempts(unsent(new Error('connect ECONNREFUSED')), retryUnapplied)).toBe(4)
    expect(await attempts(sent(new Error('read ECONNRESET')), retryUnapplied)).toBe(1)
    expect(await attempts(sent(serverError('53100')), retryUnapplied)).toBe(1)
    expect(await attempts(sent(new Error('read ECONNRESET')), retryRead)).toBe(4)
    expect(await attempts(sent(serverError('57P01', { severity: 'FATAL' })), retryRead)).toBe(4)
    expect(await attempts(sent(serverError('57014')), retryRead)).toBe(1)
    expect(await attempts(unsent(new Error('timeout exceeded when trying to connect')), retryRead)).toBe(1)
  })
})
