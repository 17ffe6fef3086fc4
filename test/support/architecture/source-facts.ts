import ts from 'typescript'
import { collectUses, type GlobalUse } from './global-uses.js'

/** One import of a file, however it is written. */
export interface ImportFact {
  readonly specifier: string
  /** `type` leaves no trace in the emitted code. */
  readonly kind: 'value' | 'type'
  readonly isDynamic: boolean
  readonly line: number
}

/** What the rules need to know of one file. */
export interface SourceFacts {
  /** Relative to `src/`, with `/`. */
  readonly path: string
  readonly lineCount: number
  readonly imports: readonly ImportFact[]
  readonly uses: readonly GlobalUse[]
  readonly defaultExportLines: readonly number[]
  readonly enumLines: readonly number[]
}

/** Reads files, given as text by path, with the TypeScript parser; nothing is resolved, so that names unknown to a file are globals. */
export function readFacts(files: ReadonlyMap<string, string>): SourceFacts[] {
  const options: ts.CompilerOptions = { noLib: true, noResolve: true, types: [], allowJs: true, target: ts.ScriptTarget.ES2023 }
  const sources = new Map([...files].map(([path, text]) => [path, ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true)]))
  const host: ts.CompilerHost = {
    getSourceFile: (path) => sources.get(path),
    fileExists: (path) => sources.has(path),
    readFile: (path) => files.get(path),
    getDefaultLibFileName: () => 'lib.d.ts',
    getCurrentDirectory: () => '',
    getCanonicalFileName: (path) => path,
    useCaseSensitiveFileNames: () => true,
    getNewLine: () => '\n',
    writeFile: () => {},
  }
  const checker = ts.createProgram([...sources.keys()], options, host).getTypeChecker()
  return [...sources.values()].map((source) => factsOf(source, checker))
}

function factsOf(source: ts.SourceFile, checker: ts.TypeChecker): SourceFacts {
  const lineOf = (node: ts.Node) => source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1
  const imports: ImportFact[] = []
  const defaultExportLines: number[] = []
  const enumLines: number[] = []
  const visit = (node: ts.Node): void => {
    const found = importOf(node)
    if (found !== undefined) imports.push({ ...found, line: lineOf(node) })
    if (isDefaultExport(node)) defaultExportLines.push(lineOf(node))
    if (ts.isEnumDeclaration(node)) enumLines.push(lineOf(node))
    ts.forEachChild(node, visit)
  }
  visit(source)
  const lineCount = source.getLineStarts().length - (source.text.endsWith('\n') ? 1 : 0)
  return { path: source.fileName, lineCount, imports, uses: collectUses(source, checker), defaultExportLines, enumLines }
}

/** `import { type A } from 'x'` counts as a value import: under verbatimModuleSyntax the module is still loaded. */
function importOf(node: ts.Node): Omit<ImportFact, 'line'> | undefined {
  if (ts.isImportDeclaration(node)) return staticImport(node.moduleSpecifier, node.importClause?.isTypeOnly === true)
  if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) return staticImport(node.moduleSpecifier, node.isTypeOnly)
  if (ts.isImportEqualsDeclaration(node) && ts.isExternalModuleReference(node.moduleReference)) {
    return staticImport(node.moduleReference.expression, node.isTypeOnly)
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return staticImport(node.argument.literal, true)
  if (!ts.isCallExpression(node)) return undefined
  const isDynamic = node.expression.kind === ts.SyntaxKind.ImportKeyword
  if (!isDynamic && !(ts.isIdentifier(node.expression) && node.expression.text === 'require')) return undefined
  const [specifier] = node.arguments
  return specifier !== undefined && ts.isStringLiteralLike(specifier) ? { specifier: specifier.text, kind: 'value', isDynamic } : undefined
}

function staticImport(specifier: ts.Expression, isTypeOnly: boolean): Omit<ImportFact, 'line'> | undefined {
  if (!ts.isStringLiteralLike(specifier)) return undefined
  return { specifier: specifier.text, kind: isTypeOnly ? 'type' : 'value', isDynamic: false }
}

function isDefaultExport(node: ts.Node): boolean {
  if (ts.isExportAssignment(node)) return true
  if (ts.isExportSpecifier(node)) return node.name.text === 'default'
  return ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some((modifier) => modifier.kind === ts.SyntaxKind.DefaultKeyword)
}
