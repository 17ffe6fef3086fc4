import { EventEmitter } from 'node:events'
import type { PgQueryConfig } from '../../../src/postgres/pg-types.js'

export interface FakeClient extends EventEmitter {
  query(config: PgQueryConfig): Promise<{ rows: unknown[] }>
  release(error?: boolean | Error): void
}

/** A pool whose server answers as a test says; it keeps what it was sent. */
export class FakePool extends EventEmitter {
  readonly options = { max: 10 }
  readonly sent: PgQueryConfig[] = []
  readonly released: unknown[] = []
  ended = 0
  /** Answers a query, or throws. */
  answer: (config: PgQueryConfig) => unknown[][] = () => []
  connectError: Error | undefined

  async connect(): Promise<FakeClient> {
    if (this.connectError !== undefined) throw this.connectError
    const client = new EventEmitter() as FakeClient
    client.query = async (config) => {
      this.sent.push(config)
      return { rows: this.answer(config) }
    }
    client.release = (error) => {
      this.released.push(error ?? false)
    }
    return client
  }

  async end(): Promise<void> {
    this.ended++
  }
}

/** An error of the server, as pg gives it. */
export const serverError = (code: string, more: object = {}): Error =>
  Object.assign(new Error(`the server says ${code}`), { code, severity: 'ERROR', ...more })
