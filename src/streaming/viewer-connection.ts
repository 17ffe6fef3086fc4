import { connect, type Socket } from 'node:net'
import type { RawData, WebSocket } from 'ws'
import type { Clock, Timer } from '../runtime/index.js'
import { type CloseCode, closeCodes } from './close-codes.js'
import { RfbClientMessageParser } from './rfb/client-message-parser.js'

/** A viewer that has this much unsent is not sent more until it has taken half of it. */
const PAUSE_ABOVE_BYTES = 1024 * 1024
const RESUME_BELOW_BYTES = PAUSE_ABOVE_BYTES / 2
/** Proxies cut sockets that are idle for 30 to 60 s. */
const PING_INTERVAL_MS = 20_000
const MAX_MISSED_PINGS = 2
/** A viewer that says nothing holds a place that others want. */
const HANDSHAKE_TIMEOUT_MS = 10_000
/** For the client to answer a close; then the socket is cut. */
const CLOSE_GRACE_MS = 1_000
/** What a socket that vanished without a close frame counts as. */
const ABNORMAL_CLOSURE = 1006

export interface ViewerConnectionParams {
  readonly webSocket: WebSocket
  readonly rfbSocketPath: string
  readonly isInputAllowed: () => boolean
  readonly clock: Clock
  /** The display has sent its first bytes. */
  readonly onOpen: () => void
  /** Called once, with the code with which the socket closed. */
  readonly onClose: (code: number) => void
}

/** One viewer: a WebSocket on one side, the display's RFB socket on the other, and the filter between them. */
export class ViewerConnection {
  /** Resolves when the WebSocket is closed; never rejects. */
  readonly closed: Promise<void>
  readonly #params: ViewerConnectionParams
  readonly #webSocket: WebSocket
  readonly #upstream: Socket
  readonly #parser: RfbClientMessageParser
  #pingTimer: Timer | undefined
  #closeTimer: Timer | undefined
  readonly #handshakeTimer: Timer
  #missedPings = 0
  #isOpen = false
  #isPaused = false
  /** What this side closed with: the other side's answer may differ, or never come. */
  #closeCode: number | undefined

  constructor(params: ViewerConnectionParams) {
    this.#params = params
    this.#webSocket = params.webSocket
    this.#parser = new RfbClientMessageParser({ isInputAllowed: params.isInputAllowed })
    this.#upstream = connect(params.rfbSocketPath)
    this.#upstream.on('data', (chunk) => this.#toViewer(chunk))
    this.#upstream.on('drain', () => this.#webSocket.resume())
    this.#upstream.on('error', () => {}) // 'close' follows
    this.#upstream.on('close', () => this.close(closeCodes.upstream, 'the display closed the connection'))
    this.#webSocket.on('message', (data, isBinary) => this.#fromViewer(data, isBinary))
    this.#webSocket.on('pong', () => {
      this.#missedPings = 0
    })
    this.#webSocket.on('error', () => {}) // ws closes the socket itself, with the code that fits
    this.closed = new Promise((resolve) => {
      this.#webSocket.once('close', (code) => {
        this.#onWebSocketClosed(this.#closeCode ?? code)
        resolve()
      })
    })
    this.#schedulePing()
    this.#handshakeTimer = params.clock.setTimer(() => {
      if (!this.#parser.isReady) this.close(closeCodes.protocolViolation, `no RFB handshake within ${HANDSHAKE_TIMEOUT_MS / 1_000} s`)
    }, HANDSHAKE_TIMEOUT_MS)
  }

  /** Closes with a code that the viewer can read; cuts the socket when it does not answer. Idempotent. */
  close(code: CloseCode, reason: string): void {
    if (this.#closeCode !== undefined || this.#webSocket.readyState === this.#webSocket.CLOSED) return
    this.#closeCode = code
    this.#upstream.destroy()
    this.#pingTimer?.cancel()
    this.#webSocket.resume() // a paused one would never see the answer
    this.#webSocket.close(code, reason)
    this.#closeTimer = this.#params.clock.setTimer(() => this.#webSocket.terminate(), CLOSE_GRACE_MS)
  }

  #toViewer(chunk: Buffer): void {
    if (!this.#isOpen) {
      this.#isOpen = true
      this.#params.onOpen()
    }
    this.#webSocket.send(chunk, { binary: true }, () => this.#resumeWhenTaken())
    if (this.#webSocket.bufferedAmount > PAUSE_ABOVE_BYTES && !this.#isPaused) {
      this.#isPaused = true
      this.#upstream.pause()
    }
  }

  #resumeWhenTaken(): void {
    if (!this.#isPaused || this.#webSocket.bufferedAmount >= RESUME_BELOW_BYTES) return
    this.#isPaused = false
    this.#upstream.resume()
  }

  #fromViewer(data: RawData, isBinary: boolean): void {
    if (this.#closeCode !== undefined) return
    if (!isBinary) {
      this.close(closeCodes.unsupportedData, 'text frames are not RFB')
      return
    }
    const { forward, violation } = this.#parser.push(data as Buffer)
    let isWritable = true
    for (const bytes of forward) isWritable = this.#upstream.write(bytes)
    if (violation !== null) this.close(closeCodes.protocolViolation, violation.slice(0, 100))
    else if (!isWritable) this.#webSocket.pause()
  }

  #schedulePing(): void {
    this.#pingTimer = this.#params.clock.setTimer(() => {
      if (this.#missedPings >= MAX_MISSED_PINGS) return this.#webSocket.terminate()
      this.#missedPings += 1
      this.#webSocket.ping()
      this.#schedulePing()
    }, PING_INTERVAL_MS)
  }

  #onWebSocketClosed(code: number): void {
    this.#pingTimer?.cancel()
    this.#closeTimer?.cancel()
    this.#handshakeTimer.cancel()
    this.#upstream.destroy()
    this.#closeCode ??= ABNORMAL_CLOSURE
    this.#params.onClose(code)
  }
}
