import { type ClientMessage, clientMessages, SET_ENCODINGS } from './client-messages.js'
import { withoutWithheldEncodings } from './encodings.js'

/** What came of a piece of the stream: bytes for the server, and, once the client has left the protocol, why. */
export interface ParsedPiece {
  readonly forward: readonly Buffer[]
  /** Set once; everything after it is ignored. */
  readonly violation: string | null
}

export interface RfbClientMessageParserOptions {
  /** Asked at each key and pointer event. */
  readonly isInputAllowed: () => boolean
}

type Phase = 'version' | 'security' | 'init' | 'messages'

const VERSIONS: Readonly<Record<string, Phase>> = {
  'RFB 003.003\n': 'init', // the server decides on security, the client says nothing
  'RFB 003.007\n': 'security',
  'RFB 003.008\n': 'security',
}
const VERSION_BYTES = 12
const SECURITY_NONE = 1
const SHARED = Buffer.of(1)
const NOTHING = Buffer.alloc(0)

/**
 * Reads what an RFB client sends, whole message by whole message, however it is split or joined, and passes on what it may send.
 * Holds at most one unfinished message (some 4 KiB); does no I/O; never throws.
 */
export class RfbClientMessageParser {
  readonly #isInputAllowed: () => boolean
  #phase: Phase = 'version'
  #pending: Buffer = NOTHING
  /** Bytes still to come of a refused message; they are thrown away unread. */
  #skipBytes = 0
  #violation: string | null = null

  constructor(options: RfbClientMessageParserOptions) {
    this.#isInputAllowed = options.isInputAllowed
  }

  /** Whether the handshake is over. */
  get isReady(): boolean {
    return this.#phase === 'messages'
  }

  /** Takes the next bytes. What it returns may share memory with them. */
  push(chunk: Uint8Array): ParsedPiece {
    if (this.#violation !== null) return { forward: [], violation: this.#violation }
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    const forward: Buffer[] = []
    let rest = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes])
    for (;;) {
      const before = rest
      rest = this.#skip(rest)
      rest = this.#phase === 'messages' ? this.#message(rest, forward) : this.#handshake(rest, forward)
      if (rest === before || this.#violation !== null) break
    }
    // copied: a slice would keep the whole frame in memory
    this.#pending = this.#violation !== null || rest.length === 0 ? NOTHING : Buffer.from(rest)
    return { forward, violation: this.#violation }
  }

  #skip(bytes: Buffer): Buffer {
    if (this.#skipBytes === 0 || bytes.length === 0) return bytes
    const skipped = Math.min(this.#skipBytes, bytes.length)
    this.#skipBytes -= skipped
    return bytes.subarray(skipped)
  }

  /** One step of the handshake, if it is all there; returns what is left (the same buffer: nothing done). */
  #handshake(bytes: Buffer, forward: Buffer[]): Buffer {
    if (this.#phase === 'version') {
      if (bytes.length < VERSION_BYTES) return bytes
      const version = bytes.toString('latin1', 0, VERSION_BYTES)
      const next = Object.hasOwn(VERSIONS, version) ? VERSIONS[version] : undefined
      if (next === undefined) return this.#violate(bytes, `ProtocolVersion ${JSON.stringify(version)}`)
      this.#phase = next
      forward.push(bytes.subarray(0, VERSION_BYTES))
      return bytes.subarray(VERSION_BYTES)
    }
    if (bytes.length === 0) return bytes
    if (this.#phase === 'security') {
      if (bytes[0] !== SECURITY_NONE) return this.#violate(bytes, `security type ${bytes[0]}`)
      this.#phase = 'init'
      forward.push(bytes.subarray(0, 1))
      return bytes.subarray(1)
    }
    this.#phase = 'messages'
    forward.push(SHARED) // whatever it asked: nobody shuts the others out
    return bytes.subarray(1)
  }

  /** One message, if it is all there; returns what is left (the same buffer: nothing done). */
  #message(bytes: Buffer, forward: Buffer[]): Buffer {
    const type = bytes[0]
    if (type === undefined) return bytes
    const message = Object.hasOwn(clientMessages, type) ? clientMessages[type] : undefined
    if (message === undefined) return this.#violate(bytes, `message type ${type}`)
    if (bytes.length < message.headerBytes) return bytes
    const length = message.length(bytes)
    if (typeof length === 'string') return this.#violate(bytes, length)
    if (message.class === 'refused') {
      this.#skipBytes = length
      return this.#skip(bytes)
    }
    if (bytes.length < length) return bytes
    const whole = bytes.subarray(0, length)
    if (this.#passes(message)) forward.push(type === SET_ENCODINGS ? withoutWithheldEncodings(whole) : whole)
    return bytes.subarray(length)
  }

  #passes(message: ClientMessage): boolean {
    return message.class === 'picture' || this.#isInputAllowed()
  }

  #violate(bytes: Buffer, what: string): Buffer {
    this.#violation = `unexpected ${what}`
    return bytes
  }
}
