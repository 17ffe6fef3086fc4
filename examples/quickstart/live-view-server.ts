import { createServer } from 'node:http'
import type { StreamingSupervisor } from 'runwright'
import { createHttpHandler, toNodeListener } from 'runwright/http'

export interface LiveViewServer {
  readonly origin: string
  close(): Promise<void>
}

/** The host's own web server, with the live view mounted in it; on loopback. */
export async function startLiveViewServer(streaming: StreamingSupervisor, port: number): Promise<LiveViewServer> {
  const handler = createHttpHandler({ streaming })
  const server = createServer(toNodeListener(handler))
  server.on('upgrade', (request, socket, head) => {
    if (!handler.upgrade(request, socket, head)) socket.destroy()
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new Error(`Port ${port} is in use: choose another one with --port, or 0 for a free one`, { cause: error })
          : error,
      ),
    )
    server.listen(port, '127.0.0.1', resolve)
  })
  const address = server.address()
  const origin = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : port}`
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { origin, close }
}
