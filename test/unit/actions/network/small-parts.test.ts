import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Connect, connectFirst, familiesInTurn } from '../../../../src/actions/network/connect-first.js'
import { findRow, PeerOwner, type ProcReader } from '../../../../src/actions/network/peer-owner.js'
import {
  connectRequest,
  MAX_HANDSHAKE_BYTES,
  parseAnswer,
  parseGreeting,
  parseRequest,
} from '../../../../src/actions/network/socks-protocol.js'
import { parseUpstream } from '../../../../src/actions/network/upstream-proxy.js'
import { InvalidArgumentError } from '../../../../src/errors/index.js'
import { FakeClock } from '../../../../src/testing/index.js'

describe('the SOCKS protocol', () => {
  it.each([
    ['example.com', 443],
    ['93.184.216.34', 80],
    ['2606:4700::1111', 65_535],
    ['::ffff:7f00:1', 1],
  ])('a request for %s:%d reads as it was written', (host, port) => {
    const data = connectRequest({ host, port })
    expect(parseRequest(data)).toEqual({ ok: true, value: { host, port }, length: data.length })
    for (let length = 0; length < data.length; length += 1) expect(parseRequest(data.subarray(0, length))).toBeNull()
  })

  it('knows no command but CONNECT, and no other type of address', () => {
    const data = connectRequest({ host: 'example.com', port: 80 })
    for (const command of [2, 3, 9]) {
      data[1] = command
      expect(parseRequest(data)).toMatchObject({ value: { reply: 7 } })
    }
    data[3] = 9
    expect(parseRequest(data)).toMatchObject({ value: { reply: 8 } })
  })

  it('accepts a greeting that can do without authentication', () => {
    expect(parseGreeting(Buffer.from([5, 2, 2, 0]))).toEqual({ ok: true, value: true, length: 4 })
    expect(parseGreeting(Buffer.from([5, 1, 2]))).toMatchObject({ value: false })
    expect(parseGreeting(Buffer.from([4, 1, 0]))).toEqual({ ok: false })
    expect(parseGreeting(Buffer.from([5, 2, 0]))).toBeNull()
  })

  it('never fails on what it is sent, and needs no more than the limit to know', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: MAX_HANDSHAKE_BYTES, maxLength: MAX_HANDSHAKE_BYTES }), (bytes) => {
        for (const parse of [parseGreeting, parseRequest, parseAnswer]) expect(parse(Buffer.from(bytes))).not.toBeNull()
      }),
    )
  })
})

describe('the owner of a connection', () => {
  const header = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
  const rowOf = (client: string, server: string, { state = '01', uid = 1_000, inode = '4711' } = {}) =>
    `   1: ${client} ${server} ${state} 00000000:00000000 00:00000000 00000000  ${uid}        0 ${inode} 1 0000000000000000 20 4 30 10 -1\n`
  const peer = { clientPort: 0xabcd, serverPort: 0x1f90 }
  const own = rowOf('0100007F:ABCD', '0100007F:1F90')

  it('is in the row of its own end', () => {
    const other = rowOf('0100007F:1F90', '0100007F:ABCD', { inode: '1' })
    expect(findRow(header + other + own, peer)).toEqual({ uid: 1_000, inode: '4711' })
    expect(findRow(header + other, peer)).toBeNull()
    const mapped = rowOf('0000000000000000FFFF00000100007F:ABCD', '0000000000000000FFFF00000100007F:1F90')
    expect(findRow(mapped, peer)).toEqual({ uid: 1_000, inode: '4711' })
    expect(findRow(rowOf('0100007F:ABCD', '0100007F:1F90', { state: '06', inode: '0' }), peer)).toBeNull()
    expect(findRow(own.trimEnd(), peer)).toEqual({ uid: 1_000, inode: '4711' })
  })

  /** A browser 10 with the children 11 and, below that, 12; a stranger 20. */
  const proc = (overrides: Partial<ProcReader> & { readonly owner?: number } = {}): ProcReader => ({
    sockets: async (file) => (file === 'tcp' ? header + own : header),
    openSockets: (pid) => new Set(pid === (overrides.owner ?? 12) ? ['4711'] : ['1', '2']),
    parents: () => new Map([[12, 11], [11, 10], [10, 1], [20, 1]]), // biome-ignore format: a table
    startTime: (pid) => String(pid * 100),
    uid: 1_000,
    ...overrides,
  })
  const owns = async (reader: ProcReader, root = { pid: 10, startTime: '1000' as string | null }) => {
    const owner = new PeerOwner(reader)
    owner.admit(root)
    return owner.owns(peer)
  }

  it('may be the process itself or one below it, and nobody else', async () => {
    for (const owner of [10, 11, 12]) expect(await owns(proc({ owner }))).toBe(true)
    expect(await owns(proc({ owner: 20 }))).toBe(false)
    expect(await owns(proc({ owner: 1 }))).toBe(false)
  })

  it.each<[string, ProcReader, { pid: number; startTime: string | null } | undefined]>([
    ['nobody is admitted yet', proc(), undefined],
    ['another user opened it', proc({ uid: 0 }), { pid: 10, startTime: '1000' }],
    ['the process id is another process by now', proc(), { pid: 10, startTime: '999' }],
    ['the process is gone', proc({ startTime: () => null }), { pid: 10, startTime: null }],
    ['there is no table', proc({ sockets: async () => '' }), { pid: 10, startTime: null }],
    ['the table cannot be read', proc({ sockets: async () => Promise.reject(new Error('no')) }), { pid: 10, startTime: null }],
  ])('is a stranger when %s', async (_what, reader, root) => {
    const owner = new PeerOwner(reader)
    if (root !== undefined) owner.admit(root)
    expect(await owner.owns(peer)).toBe(false)
  })

  it('is looked for once where connections come together, and first where the last one was', async () => {
    let tables = 0
    let trees = 0
    const reader = proc({
      sockets: async (file) => {
        if (file === 'tcp') tables += 1
        return header + own
      },
      parents: () => {
        trees += 1
        return new Map([[12, 10]])
      },
    })
    const owner = new PeerOwner(reader)
    owner.admit({ pid: 10, startTime: null })
    expect(await Promise.all([owner.owns(peer), owner.owns(peer), owner.owns(peer)])).toEqual([true, true, true])
    expect(tables).toBe(1)
    expect(await owner.owns(peer)).toBe(true)
    expect([tables, trees]).toEqual([2, 1])
  })
})

class FakeSocket extends EventEmitter {
  destroyed = false
  destroy() {
    this.destroyed = true
    return this
  }
}

describe('connecting to the first that answers', () => {
  const addresses = [
    { address: '::1:1', family: 6 },
    { address: '1.1.1.1', family: 4 },
  ] as const

  function open(list: readonly { address: string; family: 4 | 6 }[] = addresses) {
    const clock = new FakeClock()
    const control = new AbortController()
    const tried: { address: string; socket: FakeSocket }[] = []
    const connect: Connect = ({ address }) => {
      const socket = new FakeSocket()
      tried.push({ address, socket })
      return socket as unknown as Socket
    }
    const outcome = connectFirst({ addresses: list, port: 1, connect, clock, signal: control.signal })
    outcome.catch(() => {})
    return { clock, control, tried, outcome }
  }

  it('gives the next address a go when the first takes more than a quarter of a second', async () => {
    const { clock, tried, outcome } = open()
    await clock.advance(249)
    expect(tried).toHaveLength(1)
    await clock.advance(1)
    expect(tried.map(({ address }) => address)).toEqual(['::1:1', '1.1.1.1'])
    tried[1]?.socket.emit('connect')
    expect((await outcome).address).toBe('1.1.1.1')
    expect(tried[0]?.socket.destroyed).toBe(true)
    expect(clock.pendingTimers).toBe(0)
  })

  it('goes on at once when one fails, and fails like the last', async () => {
    const { clock, tried, outcome } = open()
    tried[0]?.socket.emit('error', new Error('first'))
    tried[1]?.socket.emit('error', new Error('second'))
    await expect(outcome).rejects.toThrow('second')
    expect(clock.pendingTimers).toBe(0)
    await expect(open([]).outcome).rejects.toThrow('no address')
  })

  it('takes everything back on an abort', async () => {
    const { clock, control, tried, outcome } = open()
    await clock.advance(250)
    control.abort(new Error('gone'))
    await expect(outcome).rejects.toThrow('gone')
    expect(tried.map(({ socket }) => socket.destroyed)).toEqual([true, true])
    expect(clock.pendingTimers).toBe(0)
  })

  it('takes families in turn', () => {
    const of = (...list: string[]) => list.map((address) => ({ address, family: address.includes(':') ? (6 as const) : (4 as const) }))
    expect(familiesInTurn(of('a:', 'b:', 'c:', '1', '2')).map(({ address }) => address)).toEqual(['a:', '1', 'b:', '2', 'c:'])
    expect(familiesInTurn(of('1', 'a:', 'b:')).map(({ address }) => address)).toEqual(['1', 'a:', 'b:'])
    expect(familiesInTurn([])).toEqual([])
  })
})

it('addresses of upstream proxies are read, or refused', () => {
  expect(parseUpstream({ server: 'http://proxy.test:3128', username: 'a', password: 'b' })).toEqual({
    kind: 'http',
    host: 'proxy.test',
    port: 3_128,
    username: 'a',
    password: 'b',
  })
  expect(parseUpstream({ server: 'socks5://[::1]' })).toMatchObject({ kind: 'socks5', host: '::1', port: 1_080 })
  for (const server of ['https://proxy.test', 'proxy.test:3128', 'socks4://a', '']) {
    expect(() => parseUpstream({ server })).toThrow(InvalidArgumentError)
  }
})
