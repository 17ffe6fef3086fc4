import { createSocket } from 'node:dgram'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect as netConnect } from 'node:net'
import { WebSocketServer } from 'ws'
import { type ActionContext, type ActionRecord, ActionRouter, StuckDetector } from '../../src/actions/index.js'
import { ScopeProxy } from '../../src/actions/network/scope-proxy.js'
import type { Lookup } from '../../src/actions/network/socks-connection.js'
import { ScopeGuard } from '../../src/actions/scope/scope-guard.js'
import { parseScopePolicy } from '../../src/actions/scope/scope-policy.js'
import { type ActionInput, actionSchema, type ScopePolicyInput } from '../../src/definition/index.js'
import { sleep, systemClock } from '../../src/runtime/index.js'
import type { BlockedRequest, NetworkRefusal } from '../../src/sessions/ports.js'
import { sequentialIds } from '../../src/testing/index.js'
import { launchBrowser } from './playwright-kit.js'

/** A public-looking address: whatever is connected to it comes to the good server. */
export const GOOD_ADDRESS = '93.184.216.34'
/** Whatever has another one comes to the evil server. */
export const EVIL_ADDRESS = '93.184.216.66'

export type Page = string | ((request: IncomingMessage, response: ServerResponse) => void)

/** A server that counts what reaches it: connections, requests, packets. */
async function startEvil() {
  const hits: string[] = []
  const server = createServer((request, response) => {
    hits.push(`${request.method} http://${request.headers.host}${request.url}`)
    response.setHeader('access-control-allow-origin', '*')
    response.end('evil')
  })
  server.on('connection', () => hits.push('connection'))
  await new Promise<void>((resolve) => server.listen(0, '::', resolve))
  const { port } = server.address() as AddressInfo
  const udp = createSocket({ type: 'udp6' })
  udp.on('message', () => hits.push('UDP packet'))
  await new Promise<void>((resolve) => udp.bind(port, '::', resolve))
  const stop = async () => {
    server.closeAllConnections()
    await Promise.all([new Promise((resolve) => server.close(resolve)), new Promise<void>((resolve) => udp.close(resolve))])
  }
  return { hits, port, stop }
}

/** The servers of everybody: in-scope pages by path, with WebSockets at every path; all other hosts are the evil server's. */
export async function startWorld(pages: Readonly<Record<string, Page>>) {
  const evil = await startEvil()
  const seen: string[] = []
  const good = createServer((request, response) => {
    seen.push(`${request.method} ${request.headers.host}${request.url}`)
    const url = new URL(request.url ?? '/', 'http://example.com')
    const page = pages[url.pathname]
    if (url.pathname === '/redirect') return response.writeHead(302, { location: url.searchParams.get('to') ?? '/' }).end()
    if (typeof page === 'function') return page(request, response)
    response.writeHead(page === undefined ? 404 : 200, { 'content-type': url.pathname.endsWith('.js') ? 'text/javascript' : 'text/html' })
    response.end(page?.replaceAll('EVIL_PORT', String(evil.port)) ?? '<title>Not found</title>')
  })
  const sockets = new WebSocketServer({ server: good })
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(`echo ${data}`)))
  await new Promise<void>((resolve) => good.listen(0, '127.0.0.1', resolve))
  const { port } = good.address() as AddressInfo
  const stop = async () => {
    good.closeAllConnections()
    sockets.close()
    await Promise.all([new Promise((resolve) => good.close(resolve)), evil.stop()])
  }
  return { evil, seen, port, stop }
}

export type World = Awaited<ReturnType<typeof startWorld>>

const addressOf: Lookup = async (name) => {
  // what Chromium asks for by itself
  if (/(^|\.)google(apis)?\.com$/.test(name)) throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
  return [{ address: /(^|\.)example\.com$/.test(name) ? GOOD_ADDRESS : EVIL_ADDRESS, family: 4 }]
}

/** A proxy whose network is the given world. */
export function proxyInto(world: World, lookup: Lookup = addressOf) {
  const connected: string[] = []
  const looked: string[] = []
  const proxy = new ScopeProxy({
    lookup: (name) => {
      looked.push(name)
      return lookup(name)
    },
    connect: ({ address, port }) => {
      connected.push(`${address}:${port}`)
      return netConnect({ host: '127.0.0.1', port: address === GOOD_ADDRESS ? world.port : world.evil.port, allowHalfOpen: true })
    },
  })
  return { proxy, connected, looked }
}

export interface GuardedOptions {
  readonly policy?: ScopePolicyInput
  readonly lookup?: Lookup
  readonly args?: readonly string[]
  readonly guardrail?: ConstructorParameters<typeof ScopeGuard>[0]['guardrails']
}

/** A real browser behind the proxy, and a router that acts on it under the policy. */
export async function openGuarded(world: World, options: GuardedOptions = {}) {
  const { proxy, connected, looked } = proxyInto(world, options.lookup)
  const blocked: BlockedRequest[] = []
  const scope = new ScopeGuard({
    policies: [parseScopePolicy(options.policy ?? { allowedDomains: ['example.com'] })],
    guardrails: options.guardrail ?? [],
    onBlocked: (request) => blocked.push(request),
  })
  const network = await proxy.open({ browserSessionId: 'bs_1' })
  network.apply(scope.network)
  const { browser, end } = await launchBrowser({}, { launchArgs: [...network.launchArgs, ...(options.args ?? [])] })
  if (browser.process !== null) network.admit(browser.process)
  const records: ActionRecord[] = []
  const control = new AbortController()
  const context: ActionContext = {
    organizationId: 'acme',
    workflowRunId: 'wr_1',
    workflowPermanentId: 'wpid_1',
    runBlockId: 'rb_1',
    blockLabel: 'a',
    signal: control.signal,
    texts: { render: (text) => text, reveal: async (value) => value, redact: (value) => value, sourceOf: () => null },
    elements: { recall: async () => null },
    scope,
    stuck: new StuckDetector(),
    dryRun: false,
    files: { saveScreenshot: async () => 'art_1', dataAddress: async () => 'data:,x' },
    browser: async () => browser,
    record: (record) => void records.push(record),
  }
  const timeouts = { actionTimeoutMs: 5_000, navigationTimeoutMs: 10_000 }
  const router = new ActionRouter({ clock: systemClock, ids: sequentialIds(), timeouts })
  const act = (action: ActionInput) => router.execute(actionSchema.parse(action), context, { stepIndex: 0, pictureOnFailure: false })
  const goto = (url: string) => act({ type: 'goto_url', url })
  const stop = async () => {
    await end()
    await network.close()
  }
  return { browser, scope, network, blocked, connected, looked, records, control, context, router, act, goto, stop }
}

export type Guarded = Awaited<ReturnType<typeof openGuarded>>

/** Waits for a condition, at most 5 s. */
export async function until(what: string, isTrue: () => boolean): Promise<void> {
  for (let round = 0; round < 250; round += 1) {
    if (isTrue()) return
    await sleep(systemClock, 20)
  }
  throw new Error(`it never came about: ${what}`)
}

/** Which rule refused requests to a host. */
export const rulesFor = (blocked: readonly BlockedRequest[], host: string): readonly NetworkRefusal['rule'][] => [
  ...new Set(blocked.filter((request) => request.host === host).map(({ rule }) => rule)),
]
