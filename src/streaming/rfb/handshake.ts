import { connect, type Socket } from 'node:net'

/** What an RFB server says of itself at the end of the handshake. */
export interface RfbServerInit {
  readonly width: number
  readonly height: number
  readonly name: string
}

const VERSION = 'RFB 003.008\n'
const SECURITY_NONE = 1
const MAX_NAME_BYTES = 1_024
/** Width, height, pixel format (16 bytes), length of the name. */
const SERVER_INIT_BYTES = 24

/**
 * Opens an RFB server as a client would, reads size and name, and hangs up.
 *
 * @throws the socket's error, the signal's reason, or an `Error` that says where the server left the protocol.
 * @see RFC 6143, section 7.1 to 7.3
 */
export async function rfbHandshake(params: { readonly socketPath: string; readonly signal: AbortSignal }): Promise<RfbServerInit> {
  const socket = connect(params.socketPath)
  const reader = new SocketReader(socket, params.signal)
  try {
    const version = (await reader.read(12)).toString('latin1')
    if (!/^RFB \d{3}\.\d{3}\n$/.test(version)) throw new Error(`Not an RFB server: it said ${JSON.stringify(version)}`)
    socket.write(VERSION)
    const types = await reader.read((await reader.read(1)).readUInt8())
    if (!types.includes(SECURITY_NONE)) throw new Error(`The RFB server offers security types [${[...types]}] and not None`)
    socket.write(Buffer.of(SECURITY_NONE))
    const result = (await reader.read(4)).readUInt32BE()
    if (result !== 0) throw new Error(`The RFB server refused with security result ${result}`)
    socket.write(Buffer.of(1)) // shared
    const init = await reader.read(SERVER_INIT_BYTES)
    const nameBytes = init.readUInt32BE(20)
    if (nameBytes > MAX_NAME_BYTES) throw new Error(`The RFB server's name has ${nameBytes} bytes`)
    const name = await reader.read(nameBytes)
    return { width: init.readUInt16BE(0), height: init.readUInt16BE(2), name: name.toString('utf8') }
  } finally {
    reader.dispose()
    socket.destroy()
  }
}

/** Reads a socket in pieces of known size. */
class SocketReader {
  #received: Buffer = Buffer.alloc(0)
  #failure: unknown
  #wake: (() => void) | undefined
  readonly dispose: () => void

  constructor(socket: Socket, signal: AbortSignal) {
    const fail = (error: unknown) => {
      this.#failure ??= error
      this.#wake?.()
    }
    const onAbort = () => fail(signal.reason)
    socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#wake?.()
    })
    socket.on('error', fail)
    socket.on('close', () => fail(new Error('The RFB server hung up')))
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    this.dispose = () => signal.removeEventListener('abort', onAbort)
  }

  async read(size: number): Promise<Buffer> {
    while (this.#received.length < size) {
      if (this.#failure !== undefined) throw this.#failure
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const piece = this.#received.subarray(0, size)
    this.#received = this.#received.subarray(size)
    return piece
  }
}
