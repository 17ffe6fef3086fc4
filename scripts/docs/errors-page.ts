import { readdirSync, readFileSync } from 'node:fs'
import { type ErrorCatalogue, readErrors } from './error-classes.js'
import { table } from './markdown.js'

/** The page of all error classes with their codes. */
export function errorsPage(folder: URL): string {
  const names = readdirSync(folder).filter((name) => name.endsWith('-errors.ts') || name === 'runwright-error.ts')
  const { classes, unions } = readErrors(names.sort().map((name) => readFileSync(new URL(name, folder), 'utf8')))
  const rows = classes
    .filter(({ name }) => name !== 'RunwrightError')
    .map((error) => [`\`${error.name}\``, listOf(error.codes), firstSentence(error.doc), error.isRetryable ? 'yes' : ''])
  return [
    '# Errors',
    '<!-- Made from src/errors by `npm run docs:generate`. -->',
    'Everything that the library throws on purpose is a `RunwrightError`: it has `code`, `message`, `details` (JSON, never a secret), `retryable` (the same call may succeed when it is repeated unchanged) and `cause`. Decide on `code`; codes are never renamed. `instanceof` and `RunwrightError.is(value)` recognise errors of another copy of the package too. An abort keeps the name `AbortError` and is no `RunwrightError`.',
    table(['Class', 'Codes', 'What happened', 'Retryable'], rows),
    ...issueCodes(unions),
    '',
  ].join('\n\n')
}

/** Codes of the rules within one `DefinitionError`: they stand in its `issues`, not in its `code`. */
function issueCodes(unions: ErrorCatalogue['unions']): string[] {
  const issues = unions.find(({ name }) => name === 'DefinitionIssueCode')
  if (issues === undefined) return []
  return [
    '## Rules of a definition',
    `A \`DefinitionError\` lists every broken rule in \`issues\`, each with one of these codes: ${listOf(issues.codes)}.`,
  ]
}

const listOf = (codes: readonly string[]) => (codes.length === 0 ? 'of its subclasses' : codes.map((code) => `\`${code}\``).join(', '))

/** The codes at the end of a doc-comment have a column of their own. */
function firstSentence(doc: string): string {
  return /^.*?[.](?=\s|$)/.exec(doc)?.[0] ?? doc
}
