import type { DefinitionIssue } from '../errors/index.js'

/** A level's blocks by number, which keeps long definitions fast and odd labels harmless. */
export interface Level {
  readonly labels: readonly string[]
  /** Place of each block in the list that was given. */
  readonly positions: readonly number[]
  readonly next: (number | null)[]
  /** Branch targets of conditionals; undefined for other blocks. */
  readonly branches: readonly (readonly (number | null)[] | undefined)[]
  /** How many references lead nowhere. */
  readonly danglingCount: number
  /** Whether blocks were left out because their label was taken. */
  readonly hasRepeatedLabel: boolean
}

interface CheckStructureParams {
  readonly level: Level
  readonly edges: readonly (readonly number[])[]
  readonly path: readonly (string | number)[]
  readonly isPartial: boolean
  /** Broken rules are added here. */
  readonly issues: DefinitionIssue[]
}

/** Checks that there is one root, no cycle, and a way to every block; gives the root and an order in which edges lead forward. */
export function checkStructure(params: CheckStructureParams): { readonly root: number | undefined; readonly order: readonly number[] } {
  const { level, edges, issues } = params
  const incoming = new Array<number>(edges.length).fill(0)
  for (const targets of edges) for (const target of targets) incoming[target] = (incoming[target] ?? 0) + 1
  const roots = incoming.flatMap((count, at) => (count === 0 ? [at] : []))
  const order = topologicalOrder(edges, incoming)
  const name = (at: number) => level.labels[at] ?? ''
  const pathOf = (at: number) => [...params.path, level.positions[at] ?? 0]

  if (order.length < edges.length) {
    const cycle = findCycle(edges, new Set(order))
    const labels = cycle.map(name)
    issues.push({
      code: 'CYCLE',
      path: pathOf(cycle[0] ?? 0),
      label: labels[0],
      message: `blocks lead back to themselves: ${[...labels, labels[0]].join(' → ')}`,
      expected: 'no cycle',
      received: labels,
    })
  }
  if (params.isPartial) return { root: roots[0], order }
  if (roots.length === 0) {
    issues.push({
      code: 'NO_ROOT',
      path: params.path,
      message: 'every block has one before it: none is first',
      expected: 'exactly one block to which none leads',
      received: 0,
    })
    return { root: undefined, order }
  }
  // A reference that leads nowhere may have meant one of the roots.
  if (roots.length - level.danglingCount > 1) {
    const labels = roots.map(name)
    issues.push({
      code: 'MULTIPLE_ROOTS',
      path: pathOf(roots[1] ?? 0),
      label: labels[1],
      message: `no block leads to any of ${labels.join(', ')}: only one can be first`,
      expected: 'exactly one block to which none leads',
      received: labels,
    })
  }
  for (const at of unreachable(edges, roots)) {
    issues.push({ code: 'UNREACHABLE_BLOCK', path: pathOf(at), label: name(at), message: `no way leads to block "${name(at)}"` })
  }
  return { root: roots[0], order }
}

function topologicalOrder(edges: readonly (readonly number[])[], incoming: readonly number[]): readonly number[] {
  const left = [...incoming]
  const order = left.flatMap((count, at) => (count === 0 ? [at] : []))
  for (const at of order) {
    for (const target of edges[at] ?? []) {
      left[target] = (left[target] ?? 0) - 1
      if (left[target] === 0) order.push(target) // the loop goes on over what is pushed
    }
  }
  return order
}

/** One cycle among the blocks that have no place in the order. Each of them has one of them before it. */
function findCycle(edges: readonly (readonly number[])[], ordered: ReadonlySet<number>): readonly number[] {
  const before = new Map<number, number>()
  for (const [at, targets] of edges.entries()) {
    if (ordered.has(at)) continue
    for (const target of targets) if (!ordered.has(target) && !before.has(target)) before.set(target, at)
  }
  const way: number[] = []
  const place = new Map<number, number>()
  let current = before.keys().next().value ?? 0
  while (!place.has(current)) {
    place.set(current, way.length)
    way.push(current)
    current = before.get(current) ?? current
  }
  const cycle = way.slice(place.get(current)).reverse()
  const first = cycle.indexOf(cycle.reduce((least, at) => Math.min(least, at), Number.POSITIVE_INFINITY))
  return [...cycle.slice(first), ...cycle.slice(0, first)]
}

function unreachable(edges: readonly (readonly number[])[], roots: readonly number[]): readonly number[] {
  const reached = new Set(roots)
  for (const at of reached) for (const target of edges[at] ?? []) reached.add(target) // the loop goes on over what is added
  return edges.flatMap((_, at) => (reached.has(at) ? [] : [at]))
}
