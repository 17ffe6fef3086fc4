import { describe, expect, it } from 'vitest'
import { ArtifactError, StorageError } from '../../../src/errors/index.js'
import { guardStorage, MemoryStorage, type Storage } from '../../../src/storage/index.js'
import { append, aRun, insertRun } from './contract/contract.js'

/** An adapter that does nothing by itself and remembers what it was handed. */
function sloppyAdapter(overrides: Partial<Storage> = {}) {
  const calls: [name: string, argument?: unknown][] = []
  const record = (name: string, argument?: unknown) => calls.push(argument === undefined ? [name] : [name, argument])
  const adapter: Storage = {
    capabilities: { durable: false, shared: false, notify: false },
    open: async () => void record('open'),
    close: async () => void record('close'),
    now: async () => new Date(0),
    get: async (_table, id) => void record('get', id) as never,
    find: async (params) => {
      record('find', params)
      return []
    },
    count: async (_table, where) => {
      record('count', where)
      return 0
    },
    commit: async (batch) => {
      record('commit', batch)
      return { ok: true, rows: [], events: [] }
    },
    readEvents: async (params) => {
      record('readEvents', params)
      return []
    },
    ...overrides,
  }
  const names = () => calls.map(([name]) => name)
  const last = () => calls.at(-1)?.[1]
  return { adapter, names, last }
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'resolved',
    (error: unknown) => (StorageError.is(error) ? error.code : error),
  )

describe('guardStorage', () => {
  it('gives the same guard for the same adapter, and a guard for itself', () => {
    const { adapter } = sloppyAdapter()
    const guard = guardStorage(adapter)
    expect(guardStorage(adapter)).toBe(guard)
    expect(guardStorage(guard)).toBe(guard)
    expect(guardStorage(sloppyAdapter().adapter)).not.toBe(guard)
  })

  it('opens and closes the adapter once, however often and early it is asked', async () => {
    const { adapter, names } = sloppyAdapter()
    const guard = guardStorage(adapter)
    await guard.close()
    expect(await codeOf(guard.now())).toBe('STORAGE_CLOSED')
    await Promise.all([guard.open(), guard.open()])
    await guard.open()
    await Promise.all([guard.close(), guard.close()])
    await guard.close()
    expect(names()).toEqual(['open', 'close'])
    expect(await codeOf(guard.now())).toBe('STORAGE_CLOSED')
  })

  it('can be opened again after it was closed', async () => {
    const guard = guardStorage(new MemoryStorage())
    await guard.open()
    await guard.commit([insertRun('a')])
    await guard.close()
    await guard.open()
    expect(await guard.count('runs')).toBe(1)
  })

  it('reports a failed open, and tries again when asked again', async () => {
    let attempts = 0
    const { adapter } = sloppyAdapter({
      open: async () => {
        if (++attempts === 1) throw new Error('no route')
      },
    })
    const guard = guardStorage(adapter)
    expect(await codeOf(guard.open())).toBe('STORAGE_FAILED')
    expect(await codeOf(guard.now())).toBe('STORAGE_CLOSED')
    await guard.open()
    await guard.now()
  })

  it('lets calls under way finish before it closes, and refuses new ones meanwhile', async () => {
    let finish = () => {}
    const { adapter, names } = sloppyAdapter({ get: () => new Promise((resolve) => (finish = () => resolve(undefined))) })
    const guard = guardStorage(adapter)
    await guard.open()
    const getting = guard.get('runs', 'a')
    const closing = guard.close()
    expect(await codeOf(guard.now())).toBe('STORAGE_CLOSED')
    expect(names()).toEqual(['open'])
    finish()
    await Promise.all([getting, closing])
    expect(names()).toEqual(['open', 'close'])
  })

  it('turns whatever an adapter throws into STORAGE_FAILED with its cause; coded errors and aborts pass', async () => {
    const cause = new TypeError('cannot read properties of undefined')
    const abort = new DOMException('stop', 'AbortError')
    const coded = new ArtifactError('x', { code: 'ARTIFACT_FAILED' })
    const thrown: unknown[] = [cause, 'text', abort, coded]
    const { adapter } = sloppyAdapter({
      now: () => {
        throw thrown.shift()
      },
    })
    const guard = guardStorage(adapter)
    await guard.open()
    const error = await guard.now().catch((failure: unknown) => failure)
    expect(error).toBeInstanceOf(StorageError)
    expect(error).toMatchObject({ code: 'STORAGE_FAILED', cause, details: { call: 'now' } })
    expect(await codeOf(guard.now())).toBe('STORAGE_FAILED')
    expect(await codeOf(guard.now())).toBe(abort)
    expect(await codeOf(guard.now())).toBe(coded)
  })

  it('hands adapters whole rows, conditions as operators, total orders and explicit limits', async () => {
    const { adapter, last } = sloppyAdapter()
    const guard = guardStorage(adapter)
    await guard.open()
    await guard.find({
      table: 'runs',
      where: { status: 'queued', leaseHolder: null, any: [{ priority: 1 }] },
      orderBy: [{ column: 'priority' }],
    })
    expect(last()).toEqual({
      table: 'runs',
      where: { status: { eq: 'queued' }, leaseHolder: { isNull: true }, any: [{ priority: { eq: 1 } }] },
      orderBy: [
        { column: 'priority', direction: 'asc' },
        { column: 'workflowRunId', direction: 'asc' },
      ],
      limit: 100,
    })
    await guard.count('runs')
    expect(last()).toEqual({})
    await guard.readEvents({ stream: 's' })
    expect(last()).toEqual({ stream: 's', after: 0, limit: 1_000 })
    await guard.commit([{ op: 'insert', table: 'runs', row: aRun('a') }])
    const [{ row }] = last() as [{ row: Record<string, unknown> }]
    expect(row).toMatchObject({ workflowRunId: 'a', outputs: null, finishedAt: null })
    expect(Object.values(row)).not.toContain(undefined)
  })

  it('hands adapters no text that UTF-8 cannot hold, wherever it stands', async () => {
    const { adapter, last } = sloppyAdapter()
    const guard = guardStorage(adapter)
    await guard.open()
    const sent = async (work: Promise<unknown>) => {
      await work
      return JSON.stringify(last())
    }
    const bad = 'a\0\ud800'
    const where = { workflowTitle: bad, any: [{ status: { in: [bad as never] } }] }
    const id = bad
    const texts = [
      await sent(guard.get('runs', bad)),
      await sent(guard.count('runs', where)),
      await sent(guard.find({ table: 'runs', where, after: bad })),
      await sent(guard.readEvents({ stream: bad })),
      await sent(guard.commit([insertRun(bad, { parameters: { [bad]: [bad, { [bad]: bad }] } })])),
      await sent(guard.commit([{ op: 'update', table: 'runs', id, where, set: { failureReason: bad, outputs: { bad } } }])),
      await sent(guard.commit([{ op: 'updateAll', table: 'runs', where, rows: [{ id, where }], set: {} }])),
      await sent(guard.commit([{ op: 'claim', table: 'runs', where, orderBy: [], set: { workflowTitle: bad } }])),
      await sent(guard.commit([{ op: 'delete', table: 'runs', id, where }])),
      await sent(guard.commit([append(bad, bad), { op: 'deleteStream', stream: `${bad}2` }])),
    ]
    for (const text of texts) {
      expect(text).toContain('a\ufffd\ufffd')
      expect(text).not.toMatch(/\\u0000|\\ud800/) // as JSON writes them
    }
  })

  it('lets whole surrogate pairs and every other character through', async () => {
    const { adapter, last } = sloppyAdapter()
    const guard = guardStorage(adapter)
    await guard.open()
    for (const id of ['😀', '\u0001\ufffe\ud7ff\ue000', '']) {
      await guard.get('runs', id)
      expect(last()).toBe(id)
    }
  })

  it('merges appends to one stream before they are sent', async () => {
    const { adapter, last } = sloppyAdapter()
    const guard = guardStorage(adapter)
    await guard.open()
    await guard.commit([append('s', 'e1'), append('s', 'e2'), append('t', 'x')])
    expect((last() as { events: { id: string }[] }[]).map(({ events }) => events.map(({ id }) => id))).toEqual([['e1', 'e2'], ['x']])
  })

  it('sends nothing of a batch that is wrong anywhere', async () => {
    const { adapter, names } = sloppyAdapter()
    const guard = guardStorage(adapter)
    await guard.open()
    expect(await codeOf(guard.commit([insertRun('a'), insertRun('a')]))).toBe('STORAGE_INVALID_BATCH')
    expect(await codeOf(guard.commit([{ op: 'update', table: 'runs', id: 'a', set: { priority: 'x' as never } }]))).toBe(
      'STORAGE_INVALID_ROW',
    )
    expect(names()).toEqual(['open'])
  })

  it('has subscribe only where the adapter has', () => {
    expect(guardStorage(sloppyAdapter().adapter).subscribe).toBeUndefined()
    expect(guardStorage(new MemoryStorage()).subscribe).toBeTypeOf('function')
  })

  it('keeps wake-ups from who has left and ends subscriptions with close, each once', async () => {
    let wake: (wake: { stream: string }) => void = () => {}
    let ended = 0
    const { adapter } = sloppyAdapter({
      subscribe: async (onWake) => {
        wake = onWake
        return async () => {
          ended++
        }
      },
    })
    const guard = guardStorage(adapter)
    await guard.open()
    const heard: unknown[] = []
    const unsubscribe = await guard.subscribe?.((given) => {
      heard.push(given)
      throw new Error('a listener that throws')
    })
    wake({ stream: 'a' })
    await guard.close()
    wake({ stream: 'b' })
    await unsubscribe?.()
    expect([heard, ended]).toEqual([[{ stream: 'a' }], 1])
  })
})
