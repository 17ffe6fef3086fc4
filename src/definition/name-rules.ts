import type { DefinitionIssue } from '../errors/index.js'
import { RESERVED_NAMES } from './parameters-schema.js'
import { type ParseContext, type RawBlock, textOf } from './parse-context.js'

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/
const EXPECTED = 'a letter or underscore, then letters, digits and underscores'

/** Labels: identifiers, unique over the whole tree, and no name that templates use otherwise. */
export function checkLabels({ blocks, parameterKinds, issues }: ParseContext): void {
  const first = new Map<string, RawBlock>()
  const labels = new Set(blocks.flatMap(({ label }) => label ?? []))
  for (const block of blocks) {
    const { label } = block
    if (label === undefined) continue // its shape is reported
    const report = (code: DefinitionIssue['code'], message: string, expected?: string) =>
      issues.push({ code, path: [...block.path, 'label'], label, message, expected, received: label })
    if (!IDENTIFIER.test(label)) report('INVALID_LABEL', `"${label}" is no identifier`, EXPECTED)
    if (RESERVED_NAMES.has(label)) report('RESERVED_LABEL', `"${label}" is a name that templates use`)
    if (parameterKinds.has(label)) report('LABEL_IS_PARAMETER', `"${label}" is a parameter's key too`)
    const owner = outputOwner(label, labels)
    if (owner !== undefined) report('RESERVED_LABEL', `"${label}" is the name of block "${owner}"'s output`)
    const other = first.get(label)
    if (other === undefined) first.set(label, block)
    else report('DUPLICATE_LABEL', `label "${label}" is used twice`, 'a label that no other block has, at any depth')
  }
}

/** Keys of parameters: identifiers, unique, and no name that templates use otherwise. */
export function checkParameterKeys(parameters: readonly unknown[], { blocks, issues }: ParseContext): void {
  const seen = new Set<string>()
  const labels = new Set(blocks.flatMap(({ label }) => label ?? []))
  for (const [index, parameter] of parameters.entries()) {
    const key = textOf((parameter as { key?: unknown } | null)?.key)
    if (key === undefined) continue
    const report = (code: DefinitionIssue['code'], message: string, expected?: string) =>
      issues.push({ code, path: ['parameters', index, 'key'], message, expected, received: key })
    if (!IDENTIFIER.test(key)) report('INVALID_PARAMETER_KEY', `"${key}" is no identifier`, EXPECTED)
    if (RESERVED_NAMES.has(key)) report('RESERVED_PARAMETER', `"${key}" is a name that templates use`)
    if (seen.has(key)) report('DUPLICATE_PARAMETER', `parameter "${key}" is declared twice`)
    seen.add(key)
    const owner = outputOwner(key, labels)
    if (owner !== undefined) report('PARAMETER_IS_OUTPUT', `"${key}" is the name of block "${owner}"'s output`)
  }
}

function outputOwner(name: string, labels: ReadonlySet<string>): string | undefined {
  const owner = name.endsWith('_output') ? name.slice(0, -'_output'.length) : undefined
  return owner !== undefined && labels.has(owner) ? owner : undefined
}
