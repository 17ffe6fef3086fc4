/** One that waits; what it waits for is its own affair. */
export interface LineEntry<T> {
  readonly value: T
  readonly organizationId: string
  /** Higher first. */
  readonly priority: number
  /** Order of arrival. */
  readonly sequence: number
  /** Whether somebody is serving it right now: it keeps its place, and counts as no longer waiting. */
  isServed: boolean
}

interface Turns {
  /** The last turn of the organisation, or the turn at which it came: the lower, the longer it has waited for the next. */
  last: number
  entries: number
}

/**
 * A line in which the higher priority goes first; among equals the organisation that was served longest ago, and within it whoever came
 * first. An organisation that comes queues behind those that have waited longer, so that neither a long line of one nor a steady trickle
 * of newcomers keeps another from its turn. Knows no time: deadlines are those of the entries.
 */
export class WaitingLine<T> {
  /** In order of arrival. */
  readonly #entries = new Set<LineEntry<T>>()
  readonly #turns = new Map<string, Turns>()
  readonly #undo = new Map<LineEntry<T>, number>()
  #turn = 0
  #sequence = 0

  /** How many wait; those that are being served do not count. */
  get length(): number {
    let length = 0
    for (const entry of this.#entries) if (!entry.isServed) length += 1
    return length
  }

  /** Whether nobody waits, nor is being served. */
  get isEmpty(): boolean {
    return this.#entries.size === 0
  }

  /** How many of each organisation wait. */
  lengths(): Readonly<Record<string, number>> {
    const lengths: Record<string, number> = {}
    for (const { organizationId, isServed } of this.#entries) if (!isServed) lengths[organizationId] = (lengths[organizationId] ?? 0) + 1
    return lengths
  }

  /** In order of arrival, those that are being served included. */
  entries(): readonly LineEntry<T>[] {
    return [...this.#entries]
  }

  join(value: T, params: { readonly organizationId: string; readonly priority: number }): LineEntry<T> {
    this.#sequence += 1
    const entry: LineEntry<T> = { value, ...params, sequence: this.#sequence, isServed: false }
    this.#entries.add(entry)
    const turns = this.#turns.get(entry.organizationId)
    if (turns === undefined) this.#turns.set(entry.organizationId, { last: this.#turn, entries: 1 })
    else turns.entries += 1
    return entry
  }

  /** Whose turn it is among those that `accepts` says yes to. It stays where it is. */
  next(accepts: (value: T) => boolean): LineEntry<T> | undefined {
    let best: LineEntry<T> | undefined
    for (const entry of this.#entries) {
      if (entry.isServed || (best !== undefined && this.#compare(best, entry) <= 0)) continue
      if (accepts(entry.value)) best = entry
    }
    return best
  }

  /** It is being served: its organisation has had its turn. */
  serve(entry: LineEntry<T>): void {
    const turns = this.#turns.get(entry.organizationId)
    if (turns === undefined || entry.isServed) return
    entry.isServed = true
    this.#undo.set(entry, turns.last)
    this.#turn += 1
    turns.last = this.#turn
  }

  /** It got nothing: it waits on at its old place, and its organisation's turn is given back. */
  putBack(entry: LineEntry<T>): void {
    const turns = this.#turns.get(entry.organizationId)
    const before = this.#undo.get(entry)
    this.#undo.delete(entry)
    entry.isServed = false
    if (turns !== undefined && before !== undefined) turns.last = Math.min(turns.last, before)
  }

  /** It leaves, served or not; harmless when it has left. */
  leave(entry: LineEntry<T>): void {
    if (!this.#entries.delete(entry)) return
    this.#undo.delete(entry)
    const turns = this.#turns.get(entry.organizationId)
    if (turns === undefined) return
    turns.entries -= 1
    if (turns.entries === 0) this.#turns.delete(entry.organizationId)
  }

  /** Its place by priority and arrival, 1 for the first; fairness between organisations may put others before it. */
  position(entry: LineEntry<T>): number {
    let ahead = 0
    for (const other of this.#entries) {
      if (other === entry || other.isServed) continue
      if (other.priority > entry.priority || (other.priority === entry.priority && other.sequence < entry.sequence)) ahead += 1
    }
    return ahead + 1
  }

  #compare(a: LineEntry<T>, b: LineEntry<T>): number {
    return b.priority - a.priority || this.#lastTurn(a) - this.#lastTurn(b) || a.sequence - b.sequence
  }

  #lastTurn({ organizationId }: LineEntry<T>): number {
    return this.#turns.get(organizationId)?.last ?? 0
  }
}
