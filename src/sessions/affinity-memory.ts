/** Remembers which session was last given out under which key, for so many keys and no more. */
export class AffinityMemory {
  readonly #limit: number
  /** In order of use, the oldest first. */
  readonly #sessions = new Map<string, string>()

  constructor(limit = 1_000) {
    this.#limit = limit
  }

  note(organizationId: string, affinityKey: string, browserSessionId: string): void {
    const key = keyOf(organizationId, affinityKey)
    this.#sessions.delete(key)
    this.#sessions.set(key, browserSessionId)
    const [oldest] = this.#sessions.keys()
    if (this.#sessions.size > this.#limit && oldest !== undefined) this.#sessions.delete(oldest)
  }

  /** How well a session suits whoever asks under this key: 0 it is his, 1 it is nobody's, 2 it is another key's. */
  rank(organizationId: string, affinityKey: string | undefined, browserSessionId: string): number {
    if (affinityKey !== undefined && this.#sessions.get(keyOf(organizationId, affinityKey)) === browserSessionId) return 0
    for (const remembered of this.#sessions.values()) if (remembered === browserSessionId) return 2
    return 1
  }

  /** A session has ended: nothing is left of it. */
  forget(browserSessionId: string): void {
    for (const [key, remembered] of this.#sessions) if (remembered === browserSessionId) this.#sessions.delete(key)
  }
}

const keyOf = (organizationId: string, affinityKey: string) => JSON.stringify([organizationId, affinityKey])
