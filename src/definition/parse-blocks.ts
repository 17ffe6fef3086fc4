import type { z } from 'zod'
import type { DefinitionIssue, DefinitionIssueCode } from '../errors/index.js'
import { BLOCK_COMMON_KEYS, type BlockDefinition, type BlockSchema, blockCommonSchema } from './block-common.js'
import { isObject, type ParseContext, type RawObject } from './parse-context.js'
import { checkShape, type ShapeContext, show } from './shape-issues.js'
import { nearestName } from './suggest.js'
import { define } from './template-values.js'

/** Codes of rules that schemas state, by block type and by field; the empty field is the block itself. */
const RULE_CODES: Readonly<Record<string, Readonly<Record<string, DefinitionIssueCode>>>> = {
  conditional: { branches: 'INVALID_BRANCHES' },
  for_loop: { '': 'INVALID_LOOP_SOURCE' },
}

/** The block types in use, ready for parsing: objects that say nothing about unknown keys refuse them. */
export function prepareBlockTypes(blockTypes: Readonly<Record<string, BlockSchema>>): ReadonlyMap<string, BlockSchema> {
  return new Map(
    Object.entries(blockTypes).map(([type, schema]) => [
      type,
      schema.def.catchall === undefined ? (schema.strict() as BlockSchema) : schema,
    ]),
  )
}

/** Parses the blocks of a level one by one, so that a bad one hides no other. Undefined when any is bad. */
export function parseBlocks(
  list: readonly unknown[],
  path: readonly (string | number)[],
  context: ParseContext,
): BlockDefinition[] | undefined {
  const blocks = list.map((raw, index) => parseBlock(raw, [...path, index], context))
  return blocks.every((block) => block !== undefined) ? blocks : undefined
}

function parseBlock(raw: unknown, path: readonly (string | number)[], context: ParseContext): BlockDefinition | undefined {
  const { issues, blockTypes } = context
  if (!isObject(raw)) {
    issues.push({ code: 'INVALID_SHAPE', path, message: 'a block is an object', expected: 'object', received: show(raw) })
    return undefined
  }
  const label = typeof raw.label === 'string' ? raw.label : undefined
  const schema = typeof raw.type === 'string' ? blockTypes.get(raw.type) : undefined
  if (typeof raw.type === 'string' && schema === undefined) issues.push(unknownType(raw.type, [...path, 'type'], label, blockTypes))
  const shape: z.ZodRawShape = schema?.shape ?? {}
  // A type may have a field of its own that is called like a common one (a request's timeoutSeconds): its own schema judges it.
  const isOwn = (key: string) => Object.hasOwn(shape, key) || !BLOCK_COMMON_KEYS.includes(key)
  const place: ShapeContext = { path, label }
  const common = checkShape(
    blockCommonSchema,
    pick(raw, (key) => !isOwn(key)),
    place,
    issues,
  )
  if (schema === undefined) {
    parseChildren(raw, path, context)
    return undefined
  }
  const codes = RULE_CODES[String(raw.type)]
  const config = parseConfig(schema, pick(raw, isOwn), { ...place, otherKeys: BLOCK_COMMON_KEYS, codes }, issues)
  const children = Object.hasOwn(shape, 'loopBlocks') ? parseChildren(raw, path, context) : []
  if (common === undefined || config === undefined || children === undefined) return undefined
  return Object.hasOwn(shape, 'loopBlocks') ? ({ ...common, ...config, loopBlocks: children } as BlockDefinition) : { ...common, ...config }
}

const parseChildren = (raw: RawObject, path: readonly (string | number)[], context: ParseContext) =>
  Array.isArray(raw.loopBlocks) ? parseBlocks(raw.loopBlocks, [...path, 'loopBlocks'], context) : undefined

/** An empty loop is reported by the rules of the graph; once is enough. */
function parseConfig(schema: BlockSchema, raw: RawObject, context: ShapeContext, issues: DefinitionIssue[]) {
  const found: DefinitionIssue[] = []
  const config = checkShape(schema, raw, context, found)
  const isEmptyLoop = Array.isArray(raw.loopBlocks) && raw.loopBlocks.length === 0
  issues.push(...found.filter(({ path }) => !(isEmptyLoop && path.at(-1) === 'loopBlocks')))
  return config
}

function unknownType(
  type: string,
  path: readonly (string | number)[],
  label: string | undefined,
  blockTypes: ReadonlyMap<string, BlockSchema>,
): DefinitionIssue {
  const known = [...blockTypes.keys()]
  const suggestion = nearestName(type, known)
  const message = `unknown block type "${type}"${suggestion === undefined ? '' : `, did you mean "${suggestion}"?`}; known: ${known.join(', ')}`
  return { code: 'UNKNOWN_BLOCK_TYPE', path, label, message, expected: known, received: type, suggestion }
}

function pick(raw: RawObject, isWanted: (key: string) => boolean): RawObject {
  const result: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(raw)) if (isWanted(key)) define(result, key, value)
  return result
}
