import ts from 'typescript'

/** A use of something that the file does not declare itself, or that it imports from a node: module. */
export interface GlobalUse {
  /** Dotted, without `globalThis.`: `Date.now`, `process.env.HOME`, `setTimeout`; `crypto.randomUUID` also when it was imported. */
  readonly name: string
  readonly isWrite: boolean
  /** `new X()` or `X()` without an argument. */
  readonly isCalledEmpty: boolean
  readonly line: number
}

/** Modules whose members are also globals: their name is not part of the member's. */
const transparentModules = ['timers', 'timers/promises', 'perf_hooks']

/** Every use of a global name in a file, types left out. */
export function collectUses(source: ts.SourceFile, checker: ts.TypeChecker): GlobalUse[] {
  const uses: GlobalUse[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && isReference(node)) {
      const root = rootName(node, checker)
      if (root !== undefined) uses.push(...usesFrom(node, root, source))
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return uses
}

/** Whether an identifier stands for a value: not a type, nor the name of a property, a declaration, a label or an import. */
function isReference(node: ts.Identifier): boolean {
  if (ts.isPartOfTypeNode(node) || ts.isTypeQueryNode(node.parent)) return false
  if (ts.isShorthandPropertyAssignment(node.parent)) return true
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node
  if (ts.isPropertyAssignment(parent) || ts.isPropertyDeclaration(parent) || ts.isEnumMember(parent)) return parent.initializer === node
  if (ts.isBindingElement(parent) || ts.isVariableDeclaration(parent) || ts.isParameter(parent)) return parent.initializer === node
  if (ts.isImportSpecifier(parent) || ts.isImportClause(parent) || ts.isNamespaceImport(parent) || ts.isExportSpecifier(parent))
    return false
  if (ts.isLabeledStatement(parent) || ts.isBreakOrContinueStatement(parent) || ts.isMetaProperty(parent)) return false
  return !(ts.isFunctionLike(parent) && parent.name === node) && !ts.isClassLike(parent)
}

/** The global name behind an identifier; undefined when the file declares it, or imports it from elsewhere than node:. */
function rootName(node: ts.Identifier, checker: ts.TypeChecker): string | undefined {
  if (node.text === 'globalThis') return 'globalThis'
  const symbol = ts.isShorthandPropertyAssignment(node.parent)
    ? checker.getShorthandAssignmentValueSymbol(node.parent)
    : checker.getSymbolAtLocation(node)
  const declaration = symbol?.declarations?.[0]
  return declaration === undefined ? node.text : importedName(declaration)
}

function importedName(declaration: ts.Declaration): string | undefined {
  const statement = ts.findAncestor(declaration, ts.isImportDeclaration)
  if (statement === undefined || !ts.isStringLiteral(statement.moduleSpecifier)) return undefined
  if (!statement.moduleSpecifier.text.startsWith('node:')) return undefined
  const moduleName = statement.moduleSpecifier.text.slice('node:'.length)
  if (!ts.isImportSpecifier(declaration)) return moduleName
  return qualified(moduleName, (declaration.propertyName ?? declaration.name).text)
}

function qualified(moduleName: string, member: string): string {
  return transparentModules.includes(moduleName) ? member : `${moduleName}.${member}`
}

function usesFrom(root: ts.Identifier, rootText: string, source: ts.SourceFile): GlobalUse[] {
  let node: ts.Node = root
  let name = rootText
  for (let member = memberAbove(node); member !== undefined; member = memberAbove(node)) {
    name = name === 'globalThis' ? member : qualified(name, member)
    node = node.parent
  }
  const line = source.getLineAndCharacterOfPosition(root.getStart(source)).line + 1
  const use = { isWrite: isWritten(node), isCalledEmpty: isCalledEmpty(node), line }
  const pattern = ts.isVariableDeclaration(node.parent) && ts.isObjectBindingPattern(node.parent.name) ? node.parent.name : undefined
  const members = pattern?.elements.map((element) => (element.propertyName ?? element.name).getText(source)) ?? []
  return [{ ...use, name }, ...members.map((member) => ({ ...use, name: qualified(name, member) }))]
}

/** The member that is read of a node, by `.name` or `['name']`. */
function memberAbove(node: ts.Node): string | undefined {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent) && parent.expression === node) return parent.name.text
  if (!ts.isElementAccessExpression(parent) || parent.expression !== node) return undefined
  return ts.isStringLiteralLike(parent.argumentExpression) ? parent.argumentExpression.text : '*'
}

function isWritten(node: ts.Node): boolean {
  const { parent } = node
  if (ts.isDeleteExpression(parent) || ts.isPostfixUnaryExpression(parent)) return true
  if (ts.isPrefixUnaryExpression(parent)) return [ts.SyntaxKind.PlusPlusToken, ts.SyntaxKind.MinusMinusToken].includes(parent.operator)
  if (ts.isCallExpression(parent)) return parent.arguments[0] === node && parent.expression.getText() === 'Object.assign'
  if (!ts.isBinaryExpression(parent) || parent.left !== node) return false
  const { kind } = parent.operatorToken
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment
}

function isCalledEmpty(node: ts.Node): boolean {
  const { parent } = node
  return (ts.isNewExpression(parent) || ts.isCallExpression(parent)) && parent.expression === node && (parent.arguments?.length ?? 0) === 0
}
