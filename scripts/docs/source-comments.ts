import ts from 'typescript'

/** The comments of schemas: of the field `url` of `export const loginConfigSchema = …`, under `loginConfigSchema` and `url`. */
export interface SourceComments {
  /** By owner, then by field. An owner is an exported name, or `name.property` for objects within it. */
  readonly fields: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** Of exported names. */
  readonly exports: ReadonlyMap<string, string>
  /** Of the constants that `defineBlock` makes, by block type. */
  readonly blockTypes: ReadonlyMap<string, string>
}

/** Reads the doc-comments of source texts. */
export function readComments(texts: readonly string[]): SourceComments {
  const fields = new Map<string, Map<string, string>>()
  const exports = new Map<string, string>()
  const blockTypes = new Map<string, string>()
  const keep = (owner: string, field: string, doc: string) => {
    const known = fields.get(owner) ?? new Map<string, string>()
    if (!known.has(field)) known.set(field, doc)
    fields.set(owner, known)
  }
  const spreads: { readonly owner: string; readonly from: string }[] = []
  const visit = (node: ts.Node, owner: string): void => {
    if (ts.isSpreadAssignment(node) && ts.isIdentifier(node.expression)) spreads.push({ owner, from: node.expression.text })
    const name = isField(node) ? nameOf(node.name) : undefined
    if (name !== undefined) keep(owner, name, docOf(node))
    const isNested = name !== undefined && ts.isPropertyAssignment(node) && holdsObject(node.initializer)
    ts.forEachChild(node, (child) => visit(child, isNested ? `${owner}.${name}` : owner))
  }
  for (const text of texts) {
    const source = ts.createSourceFile('source.ts', text, ts.ScriptTarget.ES2023, true)
    for (const statement of source.statements) {
      const name = declaredName(statement)
      if (name === undefined) continue
      exports.set(name, docOf(statement))
      visit(statement, name)
      const type = blockTypeOf(statement)
      if (type !== undefined) blockTypes.set(type, docOf(statement))
    }
  }
  // `...dialog`: what stands in one place is told wherever it is spread
  for (const { owner, from } of spreads) for (const [field, doc] of fields.get(from) ?? []) keep(owner, field, doc)
  return { fields, exports, blockTypes }
}

type Field = ts.PropertyAssignment | ts.ShorthandPropertyAssignment | ts.PropertySignature | ts.GetAccessorDeclaration

const isField = (node: ts.Node): node is Field =>
  ts.isPropertyAssignment(node) ||
  ts.isShorthandPropertyAssignment(node) ||
  ts.isPropertySignature(node) ||
  ts.isGetAccessorDeclaration(node)

const nameOf = (name: ts.PropertyName): string | undefined => (ts.isIdentifier(name) || ts.isStringLiteral(name) ? name.text : undefined)

/** Whether a schema of its own begins here: `click: action('click', { … })`. */
function holdsObject(node: ts.Expression): boolean {
  if (ts.isObjectLiteralExpression(node)) return true
  if (!ts.isCallExpression(node)) return false
  return node.arguments.some(holdsObject) || (ts.isPropertyAccessExpression(node.expression) && holdsObject(node.expression.expression))
}

function declaredName(statement: ts.Statement): string | undefined {
  if (ts.isVariableStatement(statement)) return statement.declarationList.declarations[0]?.name.getText()
  return ts.isInterfaceDeclaration(statement) || ts.isFunctionDeclaration(statement) ? statement.name?.text : undefined
}

/** The type in `export const x = defineBlock({ type: 'y', … })`, or the first argument of a helper that makes one. */
function blockTypeOf(statement: ts.Statement): string | undefined {
  const made = ts.isVariableStatement(statement) ? statement.declarationList.declarations[0]?.initializer : undefined
  if (made === undefined || !ts.isCallExpression(made)) return undefined
  const [first] = made.arguments
  if (first === undefined) return undefined
  if (ts.isStringLiteral(first)) return first.text
  if (!ts.isObjectLiteralExpression(first)) return undefined
  const type = first.properties.find((property) => ts.isPropertyAssignment(property) && property.name.getText() === 'type')
  return type !== undefined && ts.isPropertyAssignment(type) && ts.isStringLiteral(type.initializer) ? type.initializer.text : undefined
}

/** The last doc-comment as one line, without tags, links as plain names. */
function docOf(node: ts.Node): string {
  const docs = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc)
  return (ts.getTextOfJSDocComment(docs.at(-1)?.comment) ?? inlineDoc(node))
    .replaceAll(/\{@link (\w+)\}/g, '`$1`')
    .replace(/\s+/g, ' ')
    .trim()
}

/** A comment on the line of another field, which the compiler takes for that one's: `target, /** … *\/ destination: target`. */
function inlineDoc(node: ts.Node): string {
  if (!isField(node)) return ''
  const before = node.getSourceFile().text.slice(node.getFullStart(), node.getStart())
  const [, doc = ''] = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*$/.exec(before) ?? []
  return doc.replace(/@default[\s\S]*/, '')
}
