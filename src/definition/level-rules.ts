import type { DefinitionIssue } from '../errors/index.js'
import { analyzeGraph, type GraphBlock } from './graph.js'
import { isObject, listOf, type ParseContext, type RawBlock, type RawObject, textOf } from './parse-context.js'

/** The graph rules, at the top level and in every loop. */
export function checkGraphs(definition: RawObject, { blocks, issues }: ParseContext): void {
  const finallyBlockLabel = textOf(definition.finallyBlockLabel)
  if (Array.isArray(definition.blocks)) issues.push(...checkLevel(definition.blocks, ['blocks'], finallyBlockLabel))
  for (const block of blocks) {
    const { loopBlocks } = block.raw
    if (Array.isArray(loopBlocks)) issues.push(...checkLevel(loopBlocks, [...block.path, 'loopBlocks'], undefined))
  }
}

function checkLevel(
  list: readonly unknown[],
  path: readonly (string | number)[],
  finallyBlockLabel: string | undefined,
): readonly DefinitionIssue[] {
  let isPartial = false
  const blocks = list.map((raw, index): GraphBlock => {
    const block = isObject(raw) ? raw : {}
    const isText = (value: unknown) => value === undefined || value === null || typeof value === 'string'
    const hasOddBranch =
      block.type === 'conditional' && !listOf(block.branches).every((branch) => isObject(branch) && isText(branch.nextBlockLabel))
    if (typeof block.label !== 'string' || !isText(block.nextBlockLabel) || hasOddBranch) isPartial = true
    return {
      // No author can write this label: it only keeps the block's place.
      label: textOf(block.label) ?? `\u0000${index}`,
      nextBlockLabel: textOf(block.nextBlockLabel),
      ...(block.type === 'conditional' ? { branches: branchTargets(block.branches) } : {}),
    }
  })
  return analyzeGraph(blocks, { path, finallyBlockLabel, isPartial }).issues
}

const branchTargets = (branches: unknown) =>
  listOf(branches).map((branch) => ({ nextBlockLabel: (isObject(branch) ? textOf(branch.nextBlockLabel) : undefined) ?? null }))

/** The finally block: at the top level, with nothing after it. */
export function checkFinally(definition: RawObject, { blocks, issues }: ParseContext): void {
  const label = textOf(definition.finallyBlockLabel)
  if (label === undefined) return
  const path = ['finallyBlockLabel']
  const isTop = (block: RawBlock) => block.path.length === 2
  const named = blocks.filter((block) => block.label === label)
  const block = named.find(isTop)
  if (block === undefined) {
    const known = blocks.flatMap((other) => (isTop(other) && other.label !== undefined ? [other.label] : []))
    issues.push(
      named.length === 0
        ? { code: 'FINALLY_NOT_FOUND', path, message: `there is no block "${label}"`, expected: known, received: label }
        : {
            code: 'FINALLY_NOT_TOP_LEVEL',
            path,
            label,
            message: `block "${label}" stands inside of a loop`,
            expected: known,
            received: label,
          },
    )
    return
  }
  const next = textOf(block.raw.nextBlockLabel)
  if (next !== undefined) {
    const message = `finally block "${label}" has a next block`
    issues.push({ code: 'FINALLY_HAS_NEXT', path: [...block.path, 'nextBlockLabel'], label, message, expected: null, received: next })
  }
}

/** Authoring style: 2 when a top-level block is a conditional or names its next one. An explicit 1 must not have either. */
export function checkVersion(definition: RawObject, { blocks, issues }: ParseContext): 1 | 2 {
  const linked = blocks.find(
    ({ path, type, raw }) => path.length === 2 && (type === 'conditional' || typeof raw.nextBlockLabel === 'string'),
  )
  if (definition.version === 1 && linked !== undefined) {
    const reason = linked.type === 'conditional' ? 'is a conditional' : 'has a nextBlockLabel'
    const message = `version is 1, but block "${linked.label ?? ''}" ${reason}`
    issues.push({ code: 'VERSION_MISMATCH', path: ['version'], label: linked.label, message, expected: 2, received: 1 })
  }
  return definition.version === 1 || (definition.version === undefined && linked === undefined) ? 1 : 2
}
