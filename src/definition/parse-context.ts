import type { DefinitionIssue } from '../errors/index.js'
import type { BlockSchema } from './block-common.js'

/** A value whose kind is not known yet. */
export type RawObject = Readonly<Record<string, unknown>>

/** A block as it was given, with its place. */
export interface RawBlock {
  readonly raw: RawObject
  readonly path: readonly (string | number)[]
  /** Only when it is a text. */
  readonly label: string | undefined
  readonly type: string | undefined
}

/** What the rules of a definition look at, and where they put what they find. */
export interface ParseContext {
  readonly issues: DefinitionIssue[]
  readonly blockTypes: ReadonlyMap<string, BlockSchema>
  readonly handlers: readonly string[] | undefined
  readonly hasAgent: boolean
  /** Whether criteria may be prompts. */
  readonly hasJudge: boolean
  /** Every block of the tree, parents first. */
  readonly blocks: readonly RawBlock[]
  /** Keys of declared parameters, with their kind. */
  readonly parameterKinds: ReadonlyMap<string, string>
}

export const isObject = (value: unknown): value is RawObject => typeof value === 'object' && value !== null && !Array.isArray(value)
export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
export const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/** How deeply loops may stand in loops. */
const MAX_DEPTH = 100

/** Every block of a level and of the levels in it, parents first. Entries that are no objects are left out: their shape is reported. */
export function collectBlocks(list: unknown, path: readonly (string | number)[], issues: DefinitionIssue[], depth = 0): RawBlock[] {
  if (depth > MAX_DEPTH) {
    issues.push({ code: 'INVALID_SHAPE', path, message: `loops nested more than ${MAX_DEPTH} deep`, expected: `at most ${MAX_DEPTH}` })
    return []
  }
  return listOf(list).flatMap((raw, index) => {
    if (!isObject(raw)) return []
    const place = [...path, index]
    const block: RawBlock = { raw, path: place, label: textOf(raw.label), type: textOf(raw.type) }
    return [block, ...collectBlocks(raw.loopBlocks, [...place, 'loopBlocks'], issues, depth + 1)]
  })
}
