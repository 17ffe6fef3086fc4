import { readdirSync, readFileSync } from 'node:fs'
import ts from 'typescript'
import { type TableName, tableOf, tables } from '../../src/storage/schema.js'
import { table } from './markdown.js'

/** What the comments of a table's source say. */
interface TableComments {
  readonly table: string
  readonly columns: ReadonlyMap<string, string>
}

/** The page of all tables with their columns, made from the manifest and the comments beside it. */
export function tablesPage(folder: URL): string {
  const texts = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8'))
  const comments = texts.flatMap((text) => readComments(text))
  const names = Object.keys(tables) as TableName[]
  return [
    '# Tables',
    '<!-- Made from src/storage/tables by `npm run docs:generate`. -->',
    'What the library stores, as every adapter sees it. Names are those of rows in TypeScript; Postgres has them in snake case (`workflowRunId` is `workflow_run_id`). Kinds: `text`, `int` (whole, up to 2^53), `float`, `bool`, `json`, `instant` (to the millisecond). Streams and events belong to the adapter.',
    ...names.flatMap((name) =>
      section(
        name,
        comments.find(({ columns }) => isOf(name, columns)),
      ),
    ),
    '',
  ].join('\n\n')
}

/** Whether comments are those of a table: they name the same columns. */
function isOf(name: TableName, columns: ReadonlyMap<string, string>): boolean {
  const own = Object.keys(tableOf(name).columns)
  return own.length === columns.size && own.every((column) => columns.has(column))
}

function section(name: TableName, comments: TableComments | undefined): string[] {
  const { primaryKey, columns, unique = [], indexes = [] } = tableOf(name)
  const rows = Object.entries(columns).map(([column, { kind, nullable }]) => {
    const isKey = column === primaryKey ? 'Primary key. ' : ''
    return [`\`${column}\``, `${kind}${nullable ? ' or null' : ''}`, `${isKey}${comments?.columns.get(column) ?? ''}`.trim()]
  })
  const keys = unique.map((key) => `\`${key.name}\` (${key.columns.join(', ')}${key.where ? `, where ${JSON.stringify(key.where)}` : ''})`)
  return [
    `## ${name}`,
    ...(comments === undefined || comments.table === '' ? [] : [comments.table]),
    table(['Column', 'Kind', 'Meaning'], rows),
    ...(keys.length === 0 ? [] : [`Unique keys: ${keys.join(', ')}. Null never collides.`]),
    ...(indexes.length === 0 ? [] : [`Indexes: ${indexes.map((index) => index.join(' + ')).join(', ')}.`]),
  ]
}

/** Reads the comments of each `export const x = table({ …, columns: { … } })`. */
function readComments(text: string): TableComments[] {
  const source = ts.createSourceFile('table.ts', text, ts.ScriptTarget.ES2023, true)
  return source.statements.filter(ts.isVariableStatement).flatMap((statement) => {
    const columns = new Map<string, string>()
    const visit = (node: ts.Node): void => {
      if (ts.isPropertyAssignment(node) && node.name.getText() === 'columns' && ts.isObjectLiteralExpression(node.initializer)) {
        for (const column of node.initializer.properties) if (column.name !== undefined) columns.set(column.name.getText(), docOf(column))
      } else ts.forEachChild(node, visit)
    }
    visit(statement)
    return columns.size === 0 ? [] : [{ table: docOf(statement), columns }]
  })
}

function docOf(node: ts.Node): string {
  const docs = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc)
  return (ts.getTextOfJSDocComment(docs.at(-1)?.comment) ?? '').replace(/\s+/g, ' ').trim()
}
