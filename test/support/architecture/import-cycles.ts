import type { SourceFacts } from './source-facts.js'
import { resolveImport } from './source-paths.js'

/** Import cycles between files, one for each knot of files that reach each other; the first file is repeated at the end. */
export function findCycles(files: readonly SourceFacts[]): string[][] {
  const edges = new Map(files.map((file) => [file.path, targetsOf(file)]))
  return knotsOf(edges).map((knot) => shortestCycle(knot, edges))
}

/** Types count too: files that need each other's types are one thing in two pieces. A lazy import is no cycle at load time. */
function targetsOf(file: SourceFacts): string[] {
  const targets = file.imports.filter(({ isDynamic }) => !isDynamic).map(({ specifier }) => resolveImport(file.path, specifier))
  return [...new Set(targets.filter((target) => target !== undefined))]
}

/** Strongly connected components of more than one file, or of one that imports itself (Tarjan). */
function knotsOf(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>()
  const stack: string[] = []
  const knots: string[][] = []
  const visit = (path: string): number => {
    order.set(path, order.size)
    let low = order.get(path) ?? 0
    stack.push(path)
    for (const target of edges.get(path) ?? []) {
      if (!order.has(target)) low = Math.min(low, visit(target))
      else if (stack.includes(target)) low = Math.min(low, order.get(target) ?? low)
    }
    if (low === order.get(path)) {
      const knot = stack.splice(stack.indexOf(path))
      if (knot.length > 1 || edges.get(path)?.includes(path) === true) knots.push(knot)
    }
    return low
  }
  for (const path of edges.keys()) if (!order.has(path)) visit(path)
  return knots
}

/** A shortest way from the first file of a knot back to itself. */
function shortestCycle(knot: readonly string[], edges: ReadonlyMap<string, readonly string[]>): string[] {
  const [start = ''] = [...knot].sort()
  const ways = [[start]]
  const seen = new Set<string>()
  for (let way = ways.shift(); way !== undefined; way = ways.shift()) {
    for (const target of edges.get(way.at(-1) ?? '') ?? []) {
      if (target === start) return [...way, start]
      if (seen.has(target) || !knot.includes(target)) continue
      seen.add(target)
      ways.push([...way, target])
    }
  }
  return [...knot]
}
