import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'

/** A picture server that shows nothing and keeps every byte that reaches it. */
export class RecordingRfbServer {
  readonly #server: Server
  readonly sockets = new Set<Socket>()
  /** Everything received so far, handshakes included. */
  received: Buffer = Buffer.alloc(0)

  private constructor(init: { width: number; height: number; name: string }) {
    this.#server = createServer((socket) => this.#serve(socket, serverInit(init)))
  }

  static async listen(path: string, init: { width: number; height: number; name: string }): Promise<RecordingRfbServer> {
    const recorder = new RecordingRfbServer(init)
    recorder.#server.listen(path)
    await once(recorder.#server, 'listening')
    return recorder
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #serve(socket: Socket, init: Buffer): void {
    this.sockets.add(socket)
    const answers = [Buffer.of(1, 1), Buffer.of(0, 0, 0, 0), init]
    const ends = [12, 13, 14]
    let count = 0
    socket.on('error', () => {})
    socket.on('close', () => this.sockets.delete(socket))
    socket.on('data', (chunk) => {
      this.received = Buffer.concat([this.received, chunk])
      count += chunk.length
      while (ends.length > 0 && count >= (ends[0] ?? 0)) {
        ends.shift()
        const answer = answers.shift()
        if (answer) socket.write(answer)
      }
    })
    socket.write('RFB 003.008\n')
  }
}

function serverInit({ width, height, name }: { width: number; height: number; name: string }): Buffer {
  const init = Buffer.alloc(24)
  init.writeUInt16BE(width, 0)
  init.writeUInt16BE(height, 2)
  init.writeUInt32BE(Buffer.byteLength(name), 20)
  return Buffer.concat([init, Buffer.from(name)])
}
