import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** What the proxy does with the next message of a client that holds a marker. */
export type Fault =
  /** The server gets it; the connection breaks before the client gets an answer. */
  | 'lose the answer'
  /** The connection breaks before the server gets it. */
  | 'lose the request'

/** A TCP proxy before a server that breaks connections on demand. */
export interface FlakyProxy {
  readonly port: number
  /** Breaks the connection whose next message contains `marker`; resolves when that has happened. */
  breakAt(marker: string, fault: Fault): Promise<void>
  /** Breaks every connection. */
  breakAll(): void
  close(): Promise<void>
}

export async function flakyProxy(targetPort: number): Promise<FlakyProxy> {
  const sockets = new Set<Socket>()
  let armed: { marker: string; fault: Fault; done: () => void } | undefined
  const server = createServer((client) => {
    const upstream = connect(targetPort, '127.0.0.1')
    let isMute = false
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    upstream.on('data', (data) => {
      if (!isMute) client.write(data)
      else client.destroy() // the server has answered: it is done
    })
    client.on('data', (data) => {
      if (armed === undefined || !data.includes(armed.marker)) {
        upstream.write(data)
        return
      }
      const { fault, done } = armed
      armed = undefined
      if (fault === 'lose the answer') {
        isMute = true
        upstream.write(data)
      } else client.destroy()
      done()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    breakAt: (marker, fault) =>
      new Promise((done) => {
        armed = { marker, fault, done }
      }),
    breakAll() {
      for (const socket of sockets) socket.destroy()
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
