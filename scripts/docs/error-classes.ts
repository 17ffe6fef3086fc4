import ts from 'typescript'

/** An error class, as its source tells it. */
export interface ErrorClass {
  readonly name: string
  readonly extends: string
  /** The doc-comment as one line. */
  readonly doc: string
  readonly codes: readonly string[]
  readonly isRetryable: boolean
}

/** A code with the comment beside it, of a union of codes that no class has as its own. */
export interface CodeUnion {
  readonly name: string
  readonly codes: readonly string[]
}

/** What the files of `src/errors` hold. */
export interface ErrorCatalogue {
  readonly classes: readonly ErrorClass[]
  readonly unions: readonly CodeUnion[]
}

const CODE = /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/

/** Reads error classes and code unions from source text, in the order in which they stand. */
export function readErrors(texts: readonly string[]): ErrorCatalogue {
  const sources = texts.map((text, index) => ts.createSourceFile(`${index}.ts`, text, ts.ScriptTarget.ES2023, true))
  const statements = sources.flatMap((source) => [...source.statements])
  const unions = statements.filter(ts.isTypeAliasDeclaration).map((alias) => ({ name: alias.name.text, codes: literalsIn(alias.type) }))
  const codesByUnion = new Map(unions.filter(({ codes }) => codes.length > 0).map(({ name, codes }) => [name, codes]))
  const classes = statements.filter(ts.isClassDeclaration).filter((node) => node.heritageClauses !== undefined)
  return {
    classes: classes.map((node) => errorClass(node, codesByUnion)),
    unions: [...codesByUnion].map(([name, codes]) => ({ name, codes })),
  }
}

function errorClass(node: ts.ClassDeclaration, codesByUnion: ReadonlyMap<string, readonly string[]>): ErrorClass {
  const codes = new Set<string>()
  let isRetryable = false
  const visit = (child: ts.Node): void => {
    if (isNamed(child, 'code')) for (const code of [...literalsIn(child), ...unionsIn(child, codesByUnion)]) codes.add(code)
    if (isNamed(child, 'retryable') && child.getText().endsWith('true')) isRetryable = true
    ts.forEachChild(child, visit)
  }
  visit(node)
  const parent = node.heritageClauses?.[0]?.types[0]?.expression.getText() ?? ''
  return { name: node.name?.text ?? '', extends: parent, doc: docOf(node), codes: [...codes], isRetryable }
}

/** A property, in a type or in an object, of this name. */
function isNamed(node: ts.Node, name: string): boolean {
  const isProperty = ts.isPropertyAssignment(node) || ts.isPropertySignature(node) || ts.isPropertyDeclaration(node)
  return isProperty && node.name.getText() === name
}

function literalsIn(node: ts.Node): string[] {
  if (ts.isStringLiteral(node)) return CODE.test(node.text) ? [node.text] : []
  const found: string[] = []
  ts.forEachChild(node, (child) => {
    found.push(...literalsIn(child))
  })
  return found
}

function unionsIn(node: ts.Node, codesByUnion: ReadonlyMap<string, readonly string[]>): readonly string[] {
  if (ts.isTypeReferenceNode(node)) return codesByUnion.get(node.typeName.getText()) ?? []
  const found: string[] = []
  ts.forEachChild(node, (child) => {
    found.push(...unionsIn(child, codesByUnion))
  })
  return found
}

function docOf(node: ts.Node): string {
  const [doc] = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc)
  return (ts.getTextOfJSDocComment(doc?.comment) ?? '').replace(/\s+/g, ' ').trim()
}
