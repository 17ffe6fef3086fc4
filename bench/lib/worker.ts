import { type ChildProcess, fork } from 'node:child_process'

type Request = { readonly id: number; readonly call: string; readonly argument: unknown }
type Answer = { readonly id: number; readonly value?: unknown; readonly error?: string }

/** Answers the calls of the process that forked this one; ends with it. */
export function serve(handlers: Readonly<Record<string, (argument: never) => unknown>>): void {
  process.on('message', async ({ id, call, argument }: Request) => {
    try {
      process.send?.({ id, value: await handlers[call]?.(argument as never) } satisfies Answer)
    } catch (error) {
      process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) } satisfies Answer)
    }
  })
  process.on('disconnect', () => process.exit())
}

/** Another process that works on the same data. `H` are the handlers that it serves. */
export class Worker<H extends Readonly<Record<string, (argument: never) => unknown>>> {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  #lastId = 0

  constructor(file: URL) {
    this.#child = fork(file)
    this.#child.on('message', ({ id, value, error }: Answer) => {
      const call = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) call?.resolve(value)
      else call?.reject(new Error(error))
    })
    this.#child.once('exit', (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`A worker ended with ${code}`))
    })
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  call<K extends keyof H & string>(call: K, argument: Parameters<H[K]>[0]): Promise<Awaited<ReturnType<H[K]>>> {
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject })
      this.#child.send({ id, call, argument } satisfies Request)
    })
  }

  /** Ends it with SIGKILL; when, by the clock that all processes share. */
  kill(): number {
    this.#child.kill('SIGKILL')
    return sharedNowMs()
  }

  async end(): Promise<void> {
    if (!this.isAlive) return
    const exited = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.disconnect()
    await exited
  }
}

/** The clock that all processes of a machine share, in milliseconds. */
export function sharedNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
