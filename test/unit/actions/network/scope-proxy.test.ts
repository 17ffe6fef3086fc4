import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer, connect as netConnect, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { ScopeProxy, type ScopeProxyInternals } from '../../../../src/actions/network/scope-proxy.js'
import { connectRequest } from '../../../../src/actions/network/socks-protocol.js'
import { readMessage } from '../../../../src/actions/network/upstream-proxy.js'
import type { BlockedRequest, NetworkPolicy, UpstreamProxy } from '../../../../src/sessions/ports.js'
import { FakeClock } from '../../../../src/testing/index.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const NEVER = new AbortController().signal
const portOf = (server: Server) => (server.address() as AddressInfo).port

async function listen(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {}) // the other side breaks off in some tests
    onConnection(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return portOf(server)
}

/** Sends everything back. */
const echo = () => listen((socket) => socket.pipe(socket))

interface Opened {
  readonly upstream?: UpstreamProxy
  readonly isAdmitted?: boolean
}

/** A proxy whose every address is a server on loopback. */
async function openProxy(target: number, internals: ScopeProxyInternals = {}, { upstream, isAdmitted = true }: Opened = {}) {
  const connected: string[] = []
  const looked: string[] = []
  const lookup = internals.lookup ?? (async () => [{ address: '93.184.216.34', family: 4 }])
  const proxy = new ScopeProxy({
    checksPeers: false,
    connect: ({ address, port }) => {
      connected.push(`${address}:${port}`)
      return netConnect({ host: '127.0.0.1', port: target, allowHalfOpen: true })
    },
    ...internals,
    lookup: (name) => {
      looked.push(name)
      return lookup(name)
    },
  })
  const network = await proxy.open({ browserSessionId: 'bs_1', upstream: upstream ?? null })
  cleanups.push(() => network.close())
  if (isAdmitted) network.admit({ pid: process.pid, startTime: null })
  return { network, connected, looked, proxy }
}

/** A client of the proxy. */
async function dial(port: number): Promise<Socket> {
  const socket = netConnect({ host: '127.0.0.1', port })
  socket.on('error', () => {}) // being cut off is what some tests are about
  cleanups.push(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

const bytes = (socket: Socket, length: number) =>
  readMessage(socket, (data) => (data.length < length ? null : { ok: true as const, value: data.subarray(0, length), length }), NEVER)

/** Asks for a host: the reply, and the socket. */
async function ask(proxyPort: number, host: string, port = 443) {
  const socket = await dial(proxyPort)
  socket.write(Buffer.from([5, 1, 0]))
  expect([...(await bytes(socket, 2))]).toEqual([5, 0])
  socket.write(connectRequest({ host, port }))
  const reply = (await bytes(socket, 10))[1]
  return { socket, reply }
}

const closed = async (socket: Socket) => {
  socket.resume()
  if (!socket.closed) await once(socket, 'close')
}

/** Closed without a word. */
async function isTurnedAway(port: number): Promise<boolean> {
  const socket = await dial(port)
  socket.write(Buffer.from([5, 1, 0]))
  return bytes(socket, 1).then(
    () => false,
    () => true,
  )
}

function policyOf(check: NetworkPolicy['check']) {
  const blocked: BlockedRequest[] = []
  const policy: NetworkPolicy = { check, onBlocked: (request) => void blocked.push(request) }
  return { policy, blocked }
}
const refusal = { rule: 'host', reason: 'not that one' }

describe('a guarded network', () => {
  it('lets bytes through, both ways, and passes the end of either side on', async () => {
    const { network, connected } = await openProxy(await echo())
    const { socket, reply } = await ask(network.port, 'example.com')
    expect(reply).toBe(0)
    expect(connected).toEqual(['93.184.216.34:443'])
    const sent = Buffer.alloc(8_000_000, 'abcdefghij')
    socket.end(sent)
    const received: Buffer[] = []
    for await (const chunk of socket) received.push(chunk as Buffer)
    expect(Buffer.concat(received).equals(sent)).toBe(true)
  })

  it('asks the policy for the name, then for the address that it connects to', async () => {
    const asked: unknown[] = []
    const { network } = await openProxy(await echo())
    network.apply(policyOf((target) => void asked.push(target) as never).policy)
    const { reply } = await ask(network.port, 'EXAMPLE.com', 80)
    expect(reply).toBe(0)
    expect(asked[0]).toEqual({ host: 'EXAMPLE.com', port: 80 })
    expect(asked.slice(1)).toContainEqual({ host: 'EXAMPLE.com', port: 80, address: '93.184.216.34' })
  })

  it('refuses by name without asking for it, and tells', async () => {
    const { network, connected, looked } = await openProxy(await echo())
    const { policy, blocked } = policyOf(({ host }) => (host === 'evil.test' ? refusal : null))
    network.apply(policy)
    const { socket, reply } = await ask(network.port, 'evil.test', 8_080)
    expect(reply).toBe(2)
    await closed(socket)
    expect([connected, looked]).toEqual([[], []])
    expect(blocked).toEqual([{ host: 'evil.test', port: 8_080, ...refusal }])
  })

  it('refuses by address, and of several uses only those that are admitted', async () => {
    const answers: Record<string, string[]> = { 'bad.test': ['10.0.0.1'], 'mixed.test': ['10.0.0.1', '1.1.1.1'] }
    const lookup = async (name: string) => (answers[name] ?? []).map((address) => ({ address, family: 4 }))
    const { network, connected } = await openProxy(await echo(), { lookup })
    const { policy, blocked } = policyOf(({ address }) => (address?.startsWith('10.') === true ? refusal : null))
    network.apply(policy)
    expect((await ask(network.port, 'bad.test')).reply).toBe(2)
    expect((await ask(network.port, 'mixed.test')).reply).toBe(0)
    expect((await ask(network.port, '10.0.0.9')).reply).toBe(2)
    expect(connected).toEqual(['1.1.1.1:443'])
    expect(blocked.map(({ host }) => host)).toEqual(['bad.test', '10.0.0.9'])
  })

  it('connects to the very address that it checked, whatever the name comes to next', async () => {
    let count = 0
    const lookup = async () => [{ address: count++ === 0 ? '1.1.1.1' : '127.0.0.1', family: 4 }]
    const { network, connected, looked } = await openProxy(await echo(), { lookup })
    const { policy, blocked } = policyOf(({ address }) => (address === '127.0.0.1' ? refusal : null))
    network.apply(policy)
    expect((await ask(network.port, 'rebind.test')).reply).toBe(0)
    expect(looked).toEqual(['rebind.test'])
    expect((await ask(network.port, 'rebind.test')).reply).toBe(2)
    expect(connected).toEqual(['1.1.1.1:443'])
    expect(blocked).toHaveLength(1)
  })

  it('fails closed when the policy fails', async () => {
    const { network, connected } = await openProxy(await echo())
    const broken = () => {
      throw new Error('broken')
    }
    network.apply({ check: broken, onBlocked: broken })
    expect((await ask(network.port, 'example.com')).reply).toBe(2)
    expect(connected).toEqual([])
  })

  it('cuts what a new policy refuses, and nothing else', async () => {
    const { network } = await openProxy(await echo())
    const [kept, cut] = [await ask(network.port, 'good.test'), await ask(network.port, 'evil.test')]
    network.apply(policyOf(({ host }) => (host === 'evil.test' ? refusal : null)).policy)
    await closed(cut.socket)
    kept.socket.write('x')
    expect((await bytes(kept.socket, 1)).toString()).toBe('x')
    network.apply(policyOf(({ address }) => (address === '93.184.216.34' ? refusal : null)).policy)
    await closed(kept.socket)
  })

  it('a policy that comes while a name is resolved holds for it', async () => {
    let answer: (addresses: { address: string; family: number }[]) => void = () => {}
    const lookup = () => new Promise<{ address: string; family: number }[]>((resolve) => (answer = resolve))
    const { network, connected, looked } = await openProxy(await echo(), { lookup })
    const socket = await dial(network.port)
    socket.write(Buffer.concat([Buffer.from([5, 1, 0]), connectRequest({ host: 'evil.test', port: 1 })]))
    await bytes(socket, 2)
    while (looked.length === 0) await new Promise((resolve) => setImmediate(resolve))
    network.apply(policyOf(() => refusal).policy)
    answer([{ address: '1.1.1.1', family: 4 }])
    await closed(socket)
    expect(connected).toEqual([])
  })

  it.each([
    ['ECONNREFUSED', 5],
    ['ETIMEDOUT', 6],
    ['EHOSTUNREACH', 4],
    ['EOTHER', 1],
  ])('answers %s with %d', async (code, reply) => {
    const connect = () => {
      const socket = netConnect({ host: '127.0.0.1', port: 1 })
      socket.destroy(Object.assign(new Error('no'), { code }))
      return socket
    }
    const { network } = await openProxy(0, { connect })
    expect((await ask(network.port, 'example.com')).reply).toBe(reply)
  })

  it('answers a name that there is not with 4', async () => {
    const lookup = () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' }))
    const { network } = await openProxy(0, { lookup })
    expect((await ask(network.port, 'nowhere.test')).reply).toBe(4)
  })

  it('turns away who speaks something else, or something longer', async () => {
    const { network } = await openProxy(await echo())
    for (const words of ['GET / HTTP/1.1\r\n\r\n', Buffer.from([4, 1, 0, 80]), Buffer.alloc(700, 5)]) {
      const socket = await dial(network.port)
      socket.write(words)
      await closed(socket)
    }
    const stubborn = await dial(network.port)
    stubborn.write(Buffer.from([5, 1, 2]))
    expect([...(await bytes(stubborn, 2))]).toEqual([5, 0xff])
    await closed(stubborn)
    const binding = await dial(network.port)
    const bind = connectRequest({ host: 'example.com', port: 1 })
    bind[1] = 2
    binding.write(Buffer.concat([Buffer.from([5, 1, 0]), bind]))
    await bytes(binding, 2)
    expect((await bytes(binding, 10))[1]).toBe(7)
    await closed(binding)
  })

  it('waits 10 seconds for a handshake', async () => {
    const clock = new FakeClock()
    const { network } = await openProxy(await echo(), { clock })
    const socket = await dial(network.port)
    while (clock.pendingTimers === 0) await new Promise((resolve) => setImmediate(resolve))
    await clock.advance(9_999)
    expect(socket.closed).toBe(false)
    await clock.advance(1)
    await closed(socket)
  })

  it('waits 30 seconds for a connection', async () => {
    const clock = new FakeClock()
    const { network, looked } = await openProxy(0, { clock, lookup: () => new Promise(() => {}) })
    const socket = await dial(network.port)
    socket.write(Buffer.concat([Buffer.from([5, 1, 0]), connectRequest({ host: 'slow.test', port: 1 })]))
    await bytes(socket, 2)
    while (looked.length === 0) await new Promise((resolve) => setImmediate(resolve))
    await clock.advance(30_000)
    expect((await bytes(socket, 10))[1]).toBe(6)
  })

  it('lets one side be silent for a minute after the other has ended', async () => {
    const clock = new FakeClock()
    let isEnded = false
    const silent = await listen((socket) => socket.on('end', () => (isEnded = true)).resume())
    const { network } = await openProxy(silent, { clock })
    const { socket } = await ask(network.port, 'example.com')
    socket.end('all that there is')
    while (!isEnded || clock.pendingTimers === 0) await new Promise((resolve) => setImmediate(resolve))
    await clock.advance(59_999)
    expect(socket.closed).toBe(false)
    await clock.advance(1)
    await closed(socket)
    expect(clock.pendingTimers).toBe(0)
  })

  it('has at most 1,000 connections', async () => {
    const { network } = await openProxy(await echo())
    await Promise.all(Array.from({ length: 1_000 }, () => dial(network.port)))
    expect(await isTurnedAway(network.port)).toBe(true)
  })

  it('closes with everything that it has, and opens the same port again', async () => {
    const { network, proxy } = await openProxy(await echo())
    const { socket } = await ask(network.port, 'example.com')
    await Promise.all([network.close(), network.close(), closed(socket)])
    const again = await proxy.open({ browserSessionId: 'bs_1', port: network.port })
    cleanups.push(() => again.close())
    expect(again.port).toBe(network.port)
    await expect(proxy.open({ browserSessionId: 'bs_2', port: network.port })).rejects.toThrow('EADDRINUSE')
  })

  it('sends the whole browser its way', async () => {
    const { network } = await openProxy(0)
    expect(network.launchArgs).toEqual([
      `--proxy-server=socks5://127.0.0.1:${network.port}`,
      '--proxy-bypass-list=<-loopback>',
      '--webrtc-ip-handling-policy=disable_non_proxied_udp',
      '--force-webrtc-ip-handling-policy=disable_non_proxied_udp',
      '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
    ])
  })
})

describe.skipIf(process.platform !== 'linux')('connections of others', () => {
  const CLIENT = `const s = require('net').connect(+process.argv[1], '127.0.0.1', () => s.write(Buffer.from([5, 1, 0])))
    s.on('data', () => process.exit(0)); s.on('close', () => process.exit(3)); s.on('error', () => process.exit(3))`

  it('are not accepted before a browser is there', async () => {
    const { network } = await openProxy(await echo(), { checksPeers: true }, { isAdmitted: false })
    expect(await isTurnedAway(network.port)).toBe(true)
    network.admit({ pid: process.pid, startTime: null })
    expect((await ask(network.port, 'example.com')).reply).toBe(0)
  })

  it('are accepted of what the browser has started, and of nobody else', async () => {
    const { network } = await openProxy(await echo(), { checksPeers: true })
    const run = async () => {
      const child = spawn(process.execPath, ['-e', CLIENT, String(network.port)], { stdio: 'ignore' })
      cleanups.push(() => child.kill('SIGKILL'))
      return once(child, 'exit')
    }
    expect(await run()).toEqual([0, null]) // a child of this process, which is admitted
    const sibling = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
    cleanups.push(async () => {
      sibling.kill('SIGKILL')
      await once(sibling, 'exit')
    })
    await once(sibling, 'spawn')
    network.admit({ pid: sibling.pid ?? 0, startTime: null })
    expect(await run()).toEqual([3, null])
    expect(await isTurnedAway(network.port)).toBe(true)
  })
})

describe('an upstream proxy', () => {
  it.each([
    ['a', 'b', 'Basic YTpi'],
    ['', '', undefined],
  ])('over HTTP is asked for the checked address (user "%s")', async (username, password, authorization) => {
    const heads: string[] = []
    const upstream = await listen(async (socket) => {
      const head = await readMessage(
        socket,
        (data) => (data.includes('\r\n\r\n') ? { ok: true, value: String(data), length: data.length } : null),
        NEVER,
      )
      heads.push(head)
      socket.write('HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\nhello')
    })
    const server = `http://127.0.0.1:${upstream}`
    const { network, connected } = await openProxy(upstream, {}, { upstream: { server, username, password } })
    const { socket, reply } = await ask(network.port, 'example.com')
    expect(reply).toBe(0)
    expect((await bytes(socket, 5)).toString()).toBe('hello')
    expect(connected).toEqual([`127.0.0.1:${upstream}`])
    expect(heads[0]).toMatch(/^CONNECT 93\.184\.216\.34:443 HTTP\/1\.1\r\n/)
    expect(/Proxy-Authorization: (.*)\r/.exec(heads[0] ?? '')?.[1]).toBe(authorization)
  })

  it('over SOCKS is asked for the checked address, with name and password', async () => {
    const heard: Buffer[] = []
    const upstream = await listen(async (socket) => {
      heard.push(await bytes(socket, 4))
      socket.write(Buffer.from([5, 2]))
      heard.push(await bytes(socket, 5))
      socket.write(Buffer.from([1, 0]))
      heard.push(await bytes(socket, 10))
      socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]))
    })
    const server = `socks5://127.0.0.1:${upstream}`
    const { network } = await openProxy(upstream, {}, { upstream: { server, username: 'a', password: 'b' } })
    expect((await ask(network.port, 'example.com')).reply).toBe(0)
    expect([...(heard[1] ?? [])]).toEqual([1, 1, 97, 1, 98])
    expect([...(heard[2] ?? [])]).toEqual([5, 1, 0, 1, 93, 184, 216, 34, 1, 187])
  })

  it('that refuses is no connection; what the policy refuses is not asked of it', async () => {
    let requests = 0
    const upstream = await listen((socket) => {
      requests += 1
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
    })
    const { network } = await openProxy(upstream, {}, { upstream: { server: `http://127.0.0.1:${upstream}` } })
    expect((await ask(network.port, 'example.com')).reply).toBe(1)
    network.apply(policyOf(() => refusal).policy)
    expect((await ask(network.port, 'example.com')).reply).toBe(2)
    expect(requests).toBe(1)
  })
})
