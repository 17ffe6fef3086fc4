import { DefinitionError, type DefinitionIssue } from '../errors/index.js'
import { checkStructure, type Level } from './graph-rules.js'

/** What the graph needs to know of a block. */
export interface GraphBlock {
  readonly label: string
  /** Where it is given, only blocks of the type `conditional` have branches. */
  readonly type?: string | undefined
  readonly nextBlockLabel?: string | null | undefined
  /** Set for conditionals only: where each branch leads. */
  readonly branches?: readonly { readonly nextBlockLabel: string | null }[] | undefined
}

/** The order in which the blocks of one level run. Labels are in array order. */
export interface WorkflowGraph {
  /** The first block. */
  readonly root: string
  readonly labels: readonly string[]
  /** The block after each one, merge edges included; of a conditional, where its branches join. Null ends the walk. */
  readonly next: ReadonlyMap<string, string | null>
  /** Of each conditional, in order of its branches, where they lead; null is its own next. */
  readonly branches: ReadonlyMap<string, readonly (string | null)[]>
  /** Every block after all blocks that lead to it. */
  readonly order: readonly string[]
}

/** Options of `analyzeGraph` and {@link buildGraph}. */
export interface GraphOptions {
  /** Top level only: taken out of the walk; references to it become null. */
  readonly finallyBlockLabel?: string | null | undefined
  /** Where the list of blocks stands in the definition, for the paths of issues. @default ['blocks'] */
  readonly path?: readonly (string | number)[] | undefined
  /** Whether blocks or edges are missing here because of other mistakes: then roots and reachability are not judged. @default false */
  readonly isPartial?: boolean | undefined
}

/** Builds the graph of one level and judges it. The graph is undefined when a rule is broken; a repeated label counts once. */
export function analyzeGraph(
  blocks: readonly GraphBlock[],
  options: GraphOptions = {},
): { readonly graph: WorkflowGraph | undefined; readonly issues: readonly DefinitionIssue[] } {
  const path = options.path ?? ['blocks']
  const issues: DefinitionIssue[] = []
  const level = readLevel(blocks, { ...options, path }, issues)
  if (level.labels.length === 0) {
    const what = blocks.length === 0 ? 'there is no block' : 'there is no block besides the finally block'
    issues.push({ code: 'NO_BLOCKS', path, message: what, expected: 'at least one block', received: blocks.length })
    return { graph: undefined, issues }
  }
  mergeBranches(level)
  const { root, order } = checkStructure({
    level,
    edges: edgesOf(level),
    path,
    isPartial: options.isPartial === true || level.hasRepeatedLabel,
    issues,
  })
  if (issues.length > 0 || root === undefined) return { graph: undefined, issues }
  return { graph: toGraph(level, root, order), issues }
}

/**
 * Builds the graph of one level: sequential defaulting, merge edges, one root, no cycle, everything reachable.
 *
 * @throws {DefinitionError} with every rule that is broken
 */
export function buildGraph(blocks: readonly GraphBlock[], options: GraphOptions = {}): WorkflowGraph {
  const { graph, issues } = analyzeGraph(blocks, options)
  const seen = new Set<string>()
  const repeated = blocks.flatMap(({ label }, index): DefinitionIssue[] => {
    if (!seen.has(label)) {
      seen.add(label)
      return []
    }
    const path = [...(options.path ?? ['blocks']), index, 'label']
    return [{ code: 'DUPLICATE_LABEL', path, label, message: `label "${label}" is used twice`, received: label }]
  })
  if (graph === undefined || repeated.length > 0) throw new DefinitionError([...repeated, ...issues])
  return graph
}

/**
 * The block that runs after one: for a conditional the matched branch's target or, when that is null or the finally block, its own
 * next. Null ends the walk.
 */
export function nextAfter(graph: WorkflowGraph, label: string, branchTarget?: string | null): string | null {
  if (graph.branches.has(label) && branchTarget != null && graph.next.has(branchTarget)) return branchTarget
  return graph.next.get(label) ?? null
}

/** The blocks to which a block leads, each once. */
export function successorsOf(graph: WorkflowGraph, label: string): readonly string[] {
  const own = graph.next.get(label) ?? null
  const targets = (graph.branches.get(label) ?? [null]).map((target) => target ?? own)
  return [...new Set(targets.filter((target) => target !== null))]
}

function readLevel(
  blocks: readonly GraphBlock[],
  options: GraphOptions & { readonly path: readonly (string | number)[] },
  issues: DefinitionIssue[],
): Level {
  const finallyLabel = options.finallyBlockLabel ?? null
  const index = new Map<string, number>()
  const kept: { block: GraphBlock; position: number }[] = []
  const repeated: typeof kept = []
  for (const [position, block] of blocks.entries()) {
    if (block.label === finallyLabel) continue
    if (index.has(block.label)) repeated.push({ block, position })
    else index.set(block.label, kept.push({ block, position }) - 1)
  }
  let danglingCount = 0
  const resolve = (target: string | null | undefined, owner: GraphBlock, where: readonly (string | number)[]): number | null => {
    if (target === null || target === undefined || (finallyLabel !== null && target === finallyLabel)) return null
    const found = index.get(target)
    if (found !== undefined) return found
    danglingCount += 1
    issues.push({
      code: 'DANGLING_NEXT',
      path: [...options.path, ...where],
      label: owner.label,
      message: `there is no block "${target}" at this level`,
      expected: 'the label of a block of the same level, or null',
      received: target,
    })
    return null
  }
  const nextOf = ({ block, position }: (typeof kept)[number]) => resolve(block.nextBlockLabel, block, [position, 'nextBlockLabel'])
  const branchesAt = ({ block, position }: (typeof kept)[number]) =>
    branchesOf(block)?.map((branch, at) => resolve(branch.nextBlockLabel, block, [position, 'branches', at, 'nextBlockLabel']))
  const next = kept.map(nextOf)
  const branches = kept.map(branchesAt)
  for (const block of repeated) {
    // It has no place in the graph, but what it names must exist all the same.
    nextOf(block)
    branchesAt(block)
  }
  if (branches.every((targets) => targets === undefined)) {
    for (const [at, { block }] of kept.entries()) {
      const isOpen = block.nextBlockLabel == null || (finallyLabel !== null && block.nextBlockLabel === finallyLabel)
      if (isOpen && at < kept.length - 1) next[at] = at + 1
    }
  }
  return {
    labels: kept.map(({ block }) => block.label),
    positions: kept.map(({ position }) => position),
    next,
    branches,
    danglingCount,
    hasRepeatedLabel: repeated.length > 0,
  }
}

const branchesOf = (block: GraphBlock) => (block.type === undefined || block.type === 'conditional' ? block.branches : undefined)

/**
 * Ends of branches go on where their conditional's branches join. A conditional is done as soon as its own next is known: what is
 * patched later changes none of its chains, so each is taken once; one that is patched before its turn waits for the next round.
 */
function mergeBranches(level: Level): void {
  const pending = new Set(level.branches.flatMap((targets, at) => (targets === undefined ? [] : [at])))
  for (let isChanged = true; isChanged; ) {
    isChanged = false
    for (const conditional of pending) {
      const join = level.next[conditional] ?? null
      if (join === null) continue
      pending.delete(conditional)
      isChanged = true
      const seen = new Set<number>()
      for (const target of level.branches[conditional] ?? []) {
        let current = target
        while (current !== null && current !== join && !seen.has(current)) {
          seen.add(current)
          const following: number | null = level.next[current] ?? null
          if (following === null) level.next[current] = join
          current = following
        }
      }
    }
  }
}

function edgesOf(level: Level): readonly (readonly number[])[] {
  return level.labels.map((_, at) => {
    const own = level.next[at] ?? null
    const targets = (level.branches[at] ?? [null]).map((target) => target ?? own)
    return [...new Set(targets.filter((target) => target !== null))]
  })
}

function toGraph(level: Level, root: number, order: readonly number[]): WorkflowGraph {
  const name = (at: number | null) => (at === null ? null : (level.labels[at] ?? null))
  return {
    root: level.labels[root] ?? '',
    labels: level.labels,
    next: new Map(level.labels.map((label, at) => [label, name(level.next[at] ?? null)])),
    branches: new Map(
      level.labels.flatMap((label, at) => {
        const targets = level.branches[at]
        return targets === undefined ? [] : [[label, targets.map(name)] as const]
      }),
    ),
    order: order.map((at) => level.labels[at] ?? ''),
  }
}
