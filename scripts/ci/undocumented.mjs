// Lists the exported names without a doc-comment, from what typedoc wrote. Fails on a class, a function or a value; types are only told.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Numbers of typedoc's kinds. */
const kinds = { variable: 32, function: 64, class: 128, reference: 4_194_304 }
const api = JSON.parse(readFileSync(fileURLToPath(new URL('../../docs/api/api.json', import.meta.url)), 'utf8'))

// A reference is a name that another entry documents.
const exported = api.children.flatMap((entry) =>
  entry.children.filter((node) => node.kind !== kinds.reference).map((node) => ({ ...node, entry: entry.name })),
)
const bare = exported.filter((node) => !isDocumented(node))
const values = bare.filter(({ kind }) => [kinds.variable, kinds.function, kinds.class].includes(kind))
const types = bare.filter((node) => !values.includes(node))

if (types.length > 0) console.log(`Types without a doc-comment: ${list(types)}`)
if (values.length > 0) console.error(`Classes, functions and values without a doc-comment: ${list(values)}`)
console.log(`${exported.length} exported names, ${bare.length} without a doc-comment (${types.length} types)`)
process.exitCode = values.length > 0 ? 1 : 0

function isDocumented(node) {
  return [node, ...(node.signatures ?? []), node.type?.declaration].some((part) => part?.comment?.summary?.length > 0)
}

function list(nodes) {
  return nodes.map(({ entry, name }) => (entry === 'index' ? name : `${entry}.${name}`)).join(', ')
}
