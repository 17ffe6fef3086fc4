import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { blocksPage } from '../../scripts/docs/blocks-page.js'
import { readErrors } from '../../scripts/docs/error-classes.js'
import { errorsPage } from '../../scripts/docs/errors-page.js'
import { eventsPage } from '../../scripts/docs/events-page.js'
import { tablesPage } from '../../scripts/docs/tables-page.js'

const sources = new URL('../../src/', import.meta.url)
const docs = new URL('../../docs/', import.meta.url)
const errors = new URL('../../src/errors/', import.meta.url)
const tables = new URL('../../src/storage/tables/', import.meta.url)
const committed = (name: string) => readFileSync(new URL(name, docs), 'utf8')
const remedy = 'run: npm run docs:generate'

describe('the generated pages', () => {
  it('docs/events.md tells what src/events/schemas.ts holds', () => expect(committed('events.md'), remedy).toBe(eventsPage()))

  it('docs/errors.md tells what src/errors holds', () => expect(committed('errors.md'), remedy).toBe(errorsPage(errors)))

  it('docs/tables.md tells what src/storage/tables holds', () => expect(committed('tables.md'), remedy).toBe(tablesPage(tables)))

  it('docs/blocks.md tells what src/definition and src/blocks hold', () => expect(committed('blocks.md'), remedy).toBe(blocksPage(sources)))

  it('docs/blocks.md has a word on every field', () => {
    const rows = [...blocksPage(sources).matchAll(/^\| `(\w+)` \| (.*) \| .* \| *(.*)\|$/gm)]
    const silent = rows.filter(([, , type = '', meaning = '']) => meaning.trim() === '' && !type.includes('['))
    expect(rows.length).toBeGreaterThan(100)
    expect(silent.map(([, name, type]) => `${name}: ${type}`)).toEqual([])
  })
})

describe('error classes', () => {
  const files = readdirSync(errors).filter((name) => name.endsWith('.ts'))
  const { classes } = readErrors(files.map((name) => readFileSync(new URL(name, errors), 'utf8')))

  it('each say in their doc-comment what happened', () => {
    expect(classes.length).toBeGreaterThan(20)
    expect(classes.filter(({ doc }) => doc === '').map(({ name }) => name)).toEqual([])
  })

  it('each have a code, or subclasses that have one', () => {
    const parents = classes.map((error) => error.extends)
    expect(classes.filter(({ name, codes }) => codes.length === 0 && !parents.includes(name)).map(({ name }) => name)).toEqual([])
  })

  it('name no code in their doc-comment that they do not have', () => {
    const named = (doc: string) => [...doc.matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`/g)].map(([, code]) => code ?? '')
    const strangers = classes.filter(({ codes }) => codes.length > 0)
    expect(
      strangers.flatMap(({ name, doc, codes }) =>
        named(doc)
          .filter((code) => !codes.includes(code))
          .map((code) => `${name}: ${code}`),
      ),
    ).toEqual([])
  })

  it('are read with codes from literals, conditions, defaults and unions', () => {
    const text = `
      export type Why = 'ONE' | 'TWO'
      /** Something went wrong. Always. */
      export class A extends RunwrightError { declare readonly code: Why }
      export class B extends A {
        constructor(kind: string, options: { code?: 'THREE' }) {
          super('', { code: kind === 'lower_case' ? 'FOUR' : (options.code ?? 'FIVE'), retryable: true })
        }
      }`
    expect(readErrors([text])).toEqual({
      classes: [
        { name: 'A', extends: 'RunwrightError', doc: 'Something went wrong. Always.', codes: ['ONE', 'TWO'], isRetryable: false },
        { name: 'B', extends: 'A', doc: '', codes: ['THREE', 'FOUR', 'FIVE'], isRetryable: true },
      ],
      unions: [{ name: 'Why', codes: ['ONE', 'TWO'] }],
    })
  })
})
