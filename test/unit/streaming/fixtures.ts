import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { type AnyEvent, type StreamingEventType, sessionStream } from '../../../src/events/index.js'
import { type BrowserSessionRow, MemoryStorage, type Storage, storageNow } from '../../../src/storage/index.js'
import type { Display, DisplayBackend, DisplayParams, DisplayProbe } from '../../../src/streaming/index.js'
import { StreamingSupervisor, type StreamingSupervisorOptions } from '../../../src/streaming/index.js'
import { RecordingRfbServer } from './recording-rfb-server.js'

export const ORGANIZATION = 'acme'

/** Stores a session of `acme` that runs. */
export async function insertSession(storage: Storage, browserSessionId: string, changes: Partial<BrowserSessionRow> = {}): Promise<void> {
  const result = await storage.commit([
    {
      op: 'insert',
      table: 'browser_sessions',
      row: {
        browserSessionId,
        organizationId: ORGANIZATION,
        status: 'running',
        private: false,
        attachable: false,
        detached: false,
        leaseFence: 0,
        guarded: false,
        interactor: 'agent',
        uses: 0,
        browserType: 'chromium',
        createdAt: storageNow(),
        modifiedAt: storageNow(),
        ...changes,
      },
    },
  ])
  if (!result.ok) throw new Error(`session ${browserSessionId}: ${result.reason}`)
}

/** Makes displays that are a recording RFB server and nothing else. */
export class FakeBackend implements DisplayBackend {
  readonly kind = 'xvnc'
  readonly displays: FakeDisplay[] = []
  starts = 0
  result: DisplayProbe = { available: true, program: '/fake/Xtigervnc' }
  /** Awaited before a display is given. */
  gate: Promise<unknown> = Promise.resolve()

  probe(): Promise<DisplayProbe> {
    return Promise.resolve(this.result)
  }

  async start(params: DisplayParams, signal: AbortSignal): Promise<Display> {
    this.starts += 1
    await this.gate
    signal.throwIfAborted()
    const directory = await mkdtemp(join(tmpdir(), 'runwright-test-'))
    const rfb = await RecordingRfbServer.listen(join(directory, 'rfb'), { width: 1280, height: 720, name: params.browserSessionId })
    const display = new FakeDisplay(directory, rfb, this.displays.length + 1)
    this.displays.push(display)
    return display
  }
}

export class FakeDisplay implements Display {
  readonly backend = 'xvnc'
  readonly width = 1280
  readonly height = 720
  readonly launchArgs = []
  readonly pids = [4242]
  readonly env: Display['env']
  readonly rfbSocketPath: string
  isStopped = false
  #onExit: ((reason: string) => void) | undefined

  constructor(
    readonly directory: string,
    readonly rfb: RecordingRfbServer,
    readonly displayNumber: number,
  ) {
    this.rfbSocketPath = join(directory, 'rfb')
    this.env = { DISPLAY: `:${displayNumber}`, XAUTHORITY: join(directory, 'xauth') }
  }

  onExit(listener: (reason: string) => void): () => void {
    this.#onExit = listener
    return () => {}
  }

  die(reason: string): void {
    this.#onExit?.(reason)
  }

  async stop(): Promise<void> {
    if (this.isStopped) return
    this.isStopped = true
    await this.rfb.close()
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** A supervisor over fake displays, with session `bs_1`, mounted in a server of its own. */
export class Harness {
  readonly storage = new MemoryStorage()
  readonly backend = new FakeBackend()
  readonly streaming: StreamingSupervisor
  readonly events: AnyEvent<StreamingEventType>[] = []
  readonly logged: string[] = []
  readonly #server: Server = createServer()

  constructor(options: Partial<StreamingSupervisorOptions> = {}) {
    const log = (message: string, fields?: unknown) => void this.logged.push(`${message} ${JSON.stringify(fields)}`)
    this.streaming = new StreamingSupervisor({
      storage: this.storage,
      backends: [this.backend],
      organizationId: ORGANIZATION,
      logger: { debug: log, info: log, warn: log, error: log },
      ...options,
    })
    this.streaming.onAny((event) => this.events.push(event))
    this.#server.on('upgrade', (request, socket, head) => {
      if (!this.streaming.handleUpgrade(request, socket, head)) socket.end('HTTP/1.1 418 Not Ours\r\n\r\n')
    })
  }

  async start(): Promise<this> {
    await this.streaming.start()
    await insertSession(this.storage, 'bs_1')
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return this
  }

  async stop(): Promise<void> {
    await this.streaming.stop()
    this.#server.closeAllConnections()
    this.#server.close()
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  get rfb(): RecordingRfbServer {
    const display = this.backend.displays.at(-1)
    if (!display) throw new Error('no display was started')
    return display.rfb
  }

  row(): Promise<BrowserSessionRow | undefined> {
    return this.storage.get('browser_sessions', 'bs_1')
  }

  async storedEventTypes(): Promise<string[]> {
    return (await this.storage.readEvents({ stream: sessionStream('bs_1') })).map(({ type }) => type)
  }

  connect(options: { path?: string; token?: string; protocols?: string[]; origin?: string | null } = {}): Client {
    const query = options.token === undefined ? '' : `?token=${options.token}`
    const url = this.origin.replace('http', 'ws') + (options.path ?? `/runwright/sessions/bs_1/stream${query}`)
    const origin = options.origin === undefined ? this.origin : options.origin
    return new Client(new WebSocket(url, options.protocols ?? [], origin === null ? {} : { origin }))
  }
}

/** What became of an attempt to watch. */
export class Client {
  readonly closed: Promise<{ code: number; reason: string }>
  /** Rejects with the HTTP status of a refused upgrade. */
  readonly opened: Promise<void>
  readonly #chunks: Buffer[] = []
  #byteCount = 0
  #wake: (() => void) | undefined

  constructor(readonly socket: WebSocket) {
    socket.on('message', (data) => {
      this.#chunks.push(data as Buffer)
      this.#byteCount += (data as Buffer).length
      this.#wake?.()
    })
    this.closed = new Promise((resolve) => socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() })))
    this.opened = new Promise((resolve, reject) => {
      socket.once('open', resolve)
      socket.once('unexpected-response', (_, response) => {
        reject(response.statusCode)
        socket.terminate()
      })
    })
    this.opened.catch(() => {})
    socket.on('error', () => {})
  }

  async bytes(count: number): Promise<Buffer> {
    while (this.#byteCount < count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return Buffer.concat(this.#chunks)
  }

  /** Goes through the handshake up to ServerInit. */
  async handshake(): Promise<this> {
    await this.bytes(12)
    this.socket.send(Buffer.from('RFB 003.008\n'))
    await this.bytes(14)
    this.socket.send(Buffer.of(1))
    await this.bytes(18)
    this.socket.send(Buffer.of(1))
    await this.bytes(18 + 24)
    return this
  }
}

/** Waits, turn by turn of the event loop and without a timer of its own choosing, until something is so. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve))
}
