import type { WorkflowGraph } from './graph.js'

/**
 * To which conditional each block belongs, for nesting a timeline: the blocks of its branches, up to where they join.
 * A block on every way through the conditional belongs to nobody; the first conditional in the list that claims one has it.
 */
export function computeConditionalScopes(graph: WorkflowGraph): ReadonlyMap<string, string> {
  const ways = new Ways(graph)
  const scopes = new Map<string, string>()
  for (const label of graph.labels) {
    if (!graph.branches.has(label)) continue
    const join = ways.commonPoint(label)
    for (const start of ways.startsOf(label)) {
      for (let current = start; current !== null && current !== join; current = ways.after(current)) {
        if (!scopes.has(current)) scopes.set(current, label)
      }
    }
  }
  return scopes
}

/**
 * One way on from every block: its next, or for a conditional the place where its branches join. So all ways form trees that grow
 * together towards the end, and what several ways have in common is everything from their meeting point on.
 */
class Ways {
  readonly #graph: WorkflowGraph
  readonly #after = new Map<string, string | null>()
  /** How many blocks a way that starts here has. */
  readonly #length = new Map<string, number>()

  constructor(graph: WorkflowGraph) {
    this.#graph = graph
    for (const label of [...graph.order].reverse()) {
      const own = graph.next.get(label) ?? null
      const after = own === null && graph.branches.has(label) ? this.commonPoint(label) : own
      this.#after.set(label, after)
      this.#length.set(label, 1 + this.#lengthOf(after))
    }
  }

  after(label: string): string | null {
    return this.#after.get(label) ?? null
  }

  /** The first blocks of a conditional's branches, each once; null, where a branch leads nowhere, counts as one. */
  startsOf(conditional: string): readonly (string | null)[] {
    const own = this.#graph.next.get(conditional) ?? null
    return [...new Set(this.#graph.branches.get(conditional) ?? [])].map((target) => target ?? own)
  }

  /** The first block that all ways through a conditional have in common. */
  commonPoint(conditional: string): string | null {
    const [first = null, ...others] = this.startsOf(conditional)
    return others.reduce((a, b) => this.#meet(a, b), first)
  }

  #meet(first: string | null, second: string | null): string | null {
    let [a, b] = [first, second]
    while (a !== b) {
      if (this.#lengthOf(a) >= this.#lengthOf(b) && a !== null) a = this.after(a)
      else if (b !== null) b = this.after(b)
    }
    return a
  }

  #lengthOf(label: string | null): number {
    return label === null ? 0 : (this.#length.get(label) ?? 0)
  }
}
