import { NotAuthorizedError, QueueFullError, RateLimitedError } from '../../errors/index.js'
import type { Storage } from '../../storage/index.js'
import type { AuthorizationRequest, Authorizer, RateLimiter } from '../run-ports.js'

export interface SubmitGatesOptions {
  readonly storage: Storage
  readonly authorizer?: Authorizer | undefined
  readonly rateLimiter?: RateLimiter | undefined
  /** Null: no limit. */
  readonly maxQueuedRuns: number | null
}

export interface AdmitParams<T> {
  readonly request: AuthorizationRequest
  /** Undefined: none. */
  readonly idempotencyKey: string | undefined
  /** What the key stands for already; null: nothing. */
  readonly findExisting: () => Promise<T | null>
  /** Stores the run. */
  readonly accept: () => Promise<T>
}

/** Asks the host's ports, and the length of the queue, before a run is accepted: authorizer, rate limiter, queue. */
export class SubmitGates {
  readonly #options: SubmitGatesOptions
  readonly #turns = new Map<string, Promise<unknown>>()

  constructor(options: SubmitGatesOptions) {
    this.#options = options
  }

  /** @throws {NotAuthorizedError} `NOT_AUTHORIZED` */
  async authorize(request: AuthorizationRequest): Promise<void> {
    const { authorizer } = this.#options
    if (authorizer === undefined) return
    const answer = await authorizer.authorize(request)
    const { allowed, reason = null } = typeof answer === 'object' ? answer : { allowed: answer }
    if (allowed !== true) throw new NotAuthorizedError(request.action, reason)
  }

  /**
   * Accepts a run, once the rate limiter and the queue allow it; a repetition by idempotency key is neither limited nor counted.
   * @throws {RateLimitedError} `RATE_LIMITED` @throws {QueueFullError} `QUEUE_FULL`
   */
  async admit<T>({ request, idempotencyKey, findExisting, accept }: AdmitParams<T>): Promise<T> {
    const { rateLimiter, maxQueuedRuns } = this.#options
    if (rateLimiter === undefined && maxQueuedRuns === null) return accept()
    const admit = async () => {
      await this.#limit(request)
      // one at a time, or all that ask at once would find the same room
      return maxQueuedRuns === null ? accept() : this.#inTurn('queue', () => this.#acceptWithRoom(maxQueuedRuns, accept))
    }
    if (idempotencyKey === undefined) return admit()
    // calls with the same key at the same time are repetitions, too
    return this.#inTurn(`key ${JSON.stringify([request.organizationId, idempotencyKey])}`, async () => (await findExisting()) ?? admit())
  }

  async #limit(request: AuthorizationRequest): Promise<void> {
    const answer = await this.#options.rateLimiter?.consume(request)
    if (answer !== undefined && answer.allowed !== true) throw new RateLimitedError(answer.retryAfterMs ?? null)
  }

  async #acceptWithRoom<T>(maxQueuedRuns: number, accept: () => Promise<T>): Promise<T> {
    const queued = await this.#options.storage.count('runs', { status: 'queued' })
    if (queued >= maxQueuedRuns) throw new QueueFullError({ queued, maxQueuedRuns })
    return accept()
  }

  async #inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(name) ?? Promise.resolve()).then(work, work)
    const settled = turn.catch(() => {}) // whoever asked hears of it
    this.#turns.set(name, settled)
    try {
      return await turn
    } finally {
      if (this.#turns.get(name) === settled) this.#turns.delete(name)
    }
  }
}
