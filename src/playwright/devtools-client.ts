import WebSocket from 'ws'

interface Answer {
  readonly id?: number
  readonly result?: unknown
  readonly error?: { readonly message: string }
}

/**
 * DevTools without Playwright, which asks every page before it has connected, and so waits for one that does not answer. Calls that are
 * open when the connection ends reject.
 */
export class DevToolsClient {
  readonly #socket: WebSocket
  readonly #calls = new Map<number, { readonly resolve: (result: unknown) => void; readonly reject: (error: Error) => void }>()
  #lastId = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data) => this.#onMessage(String(data)))
    const onEnd = () => {
      for (const { reject } of this.#calls.values()) reject(new Error('the DevTools connection ended'))
      this.#calls.clear()
    }
    socket.on('close', onEnd)
    socket.on('error', onEnd)
  }

  /** @throws when nobody answers there, or it is another browser (404: the address holds its guid); the signal's reason */
  static open(address: string, signal: AbortSignal): Promise<DevToolsClient> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      const socket = new WebSocket(address, { perMessageDeflate: false })
      const onAbort = () => {
        socket.terminate()
        reject(signal.reason)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      socket.once('error', (error) => {
        signal.removeEventListener('abort', onAbort)
        reject(error)
      })
      socket.once('open', () => {
        signal.removeEventListener('abort', onAbort)
        resolve(new DevToolsClient(socket))
      })
    })
  }

  send<T>(method: string, params: object = {}, sessionId?: string): Promise<T> {
    this.#lastId += 1
    const id = this.#lastId
    return new Promise<T>((resolve, reject) => {
      this.#calls.set(id, { resolve: resolve as (result: unknown) => void, reject })
      this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }), (error) => {
        if (error && this.#calls.delete(id)) reject(error)
      })
    })
  }

  close(): void {
    this.#socket.terminate()
  }

  #onMessage(text: string): void {
    const { id, result, error } = JSON.parse(text) as Answer
    const call = id === undefined ? undefined : this.#calls.get(id)
    if (id === undefined || call === undefined) return
    this.#calls.delete(id)
    if (error === undefined) call.resolve(result)
    else call.reject(new Error(error.message))
  }
}
