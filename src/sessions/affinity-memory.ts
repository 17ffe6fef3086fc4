/** Remembers which session was last given out under which key, for so many keys and no more. */
export class AffinityMemory {
  readonly #limit: number
  /** Session by key, in order of use, the oldest first. */
  readonly #sessions = new Map<string, string>()
  /** How many keys have a session as theirs. */
  readonly #claims = new Map<string, number>()

  constructor(limit = 1_000) {
    this.#limit = limit
  }

  note(organizationId: string, affinityKey: string, browserSessionId: string): void {
    const key = keyOf(organizationId, affinityKey)
    this.#forget(key)
    this.#sessions.set(key, browserSessionId)
    this.#claims.set(browserSessionId, (this.#claims.get(browserSessionId) ?? 0) + 1)
    const [oldest] = this.#sessions.keys()
    if (this.#sessions.size > this.#limit && oldest !== undefined) this.#forget(oldest)
  }

  /** How well a session suits whoever asks under this key: 0 it is his, 1 it is nobody's, 2 it is another key's. */
  rank(organizationId: string, affinityKey: string | undefined, browserSessionId: string): number {
    if (affinityKey !== undefined && this.#sessions.get(keyOf(organizationId, affinityKey)) === browserSessionId) return 0
    return this.#claims.has(browserSessionId) ? 2 : 1
  }

  #forget(key: string): void {
    const browserSessionId = this.#sessions.get(key)
    if (browserSessionId === undefined) return
    this.#sessions.delete(key)
    const claims = (this.#claims.get(browserSessionId) ?? 1) - 1
    if (claims === 0) this.#claims.delete(browserSessionId)
    else this.#claims.set(browserSessionId, claims)
  }
}

const keyOf = (organizationId: string, affinityKey: string) => JSON.stringify([organizationId, affinityKey])
