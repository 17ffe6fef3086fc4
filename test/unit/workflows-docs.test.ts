import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { coerceValue } from '../../src/definition/coerce.js'
import { createTemplates, defineWorkflow, isTruthyText, type ParameterType, parseWorkflowDefinition } from '../../src/definition/index.js'
import { DEFAULT_MAX_ELAPSED_MINUTES } from '../../src/engine/elapsed-limit.js'
import { engineOptionsSchema } from '../../src/engine/engine-options.js'
import { createWorkflowSchema } from '../../src/engine/engine-params.js'
import { MemoryStorage } from '../../src/storage/index.js'

const root = new URL('../../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')
const page = read('docs/workflows.md')
const marked = (mark: string) =>
  [...page.matchAll(new RegExp(`<!-- ${mark} -->\\n\`\`\`\\w+\\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, text = '']) => text)
const examples = (mark: string) =>
  marked(mark).flatMap((text) =>
    text
      .trim()
      .split('\n')
      .map((line) => line.split(' -> ') as [string, string]),
  )

describe('docs/workflows.md', () => {
  it('shows definitions that are accepted', () => {
    const definitions = marked('definition')
    expect(definitions.length).toBe([...page.matchAll(/```ts\n/g)].length)
    for (const text of definitions) {
      const definition = new Function('defineWorkflow', `return ${text.trim()}`)(defineWorkflow)
      expect(parseWorkflowDefinition(definition, { handlers: ['approve'] }).blocks.length).toBeGreaterThan(0)
    }
  })

  it('shows what templates render to', () => {
    const rows = [
      { n: 'x', ok: true, v: 2 },
      { n: 'y', ok: false, v: 3 },
    ]
    const scope = { name: 'Ada b', price: 4.567, list: [3, 1, 2], row: { a: 1 }, rows, empty: '' }
    const templates = createTemplates()
    const rendered = examples('templates').map(([template]) => `${template} -> ${templates.render(template, scope).trimEnd()}`)
    expect(rendered.length).toBeGreaterThan(18)
    expect(rendered).toEqual(examples('templates').map((example) => example.join(' -> ')))
  })

  it('shows how parameters are read', () => {
    for (const [left, expected] of examples('coercions')) {
      const [, type = '', value = ''] = /^(\w+)\s+(.*)$/.exec(left) ?? []
      const read = coerceValue(type as ParameterType, JSON.parse(value))
      expect(read.status === 'ok' ? JSON.stringify(read.value) : read.status, left).toBe(expected)
    }
  })

  it('names the texts that are false', () => {
    const [, listed = ''] = /read as truth[^:]*: blank, (.*) and numbers/.exec(page) ?? []
    const words = [...listed.matchAll(/`(\w+)`/g)].map(([, word = '']) => word)
    expect(words).toHaveLength(7)
    expect(words.filter(isTruthyText)).toEqual([])
    expect(isTruthyText('total > 100')).toBe(true)
  })

  it('tells the defaults of time limits', () => {
    const settings = engineOptionsSchema.parse({ storage: new MemoryStorage() })
    const { finallyTimeoutSeconds } = createWorkflowSchema.parse({ title: 't', definition: {} })
    expect(settings).toMatchObject({
      actionTimeoutMs: 15_000,
      navigationTimeoutMs: 30_000,
      blockTimeoutSeconds: null,
      strictTemplates: false,
    })
    expect({ finallyTimeoutSeconds, DEFAULT_MAX_ELAPSED_MINUTES }).toEqual({ finallyTimeoutSeconds: 300, DEFAULT_MAX_ELAPSED_MINUTES: 240 })
    for (const text of [
      '| a step | 15 s |',
      '`new_tab` | 30 s |',
      'attempt of a block | none |',
      '| 240 min |',
      '| the finally block | 300 s |',
    ])
      expect(page).toContain(text)
  })

  it('links to sections and pages that are there', () => {
    for (const name of ['workflows.md', 'blocks.md'])
      for (const [, file = '', anchor = ''] of read(`docs/${name}`).matchAll(/\]\(([\w-]*(?:\.md)?)(?:#([\w-]+))?\)/g)) {
        const headings = [...read(`docs/${file === '' ? name : file}`).matchAll(/^#+ (.*)$/gm)].map(([, text = '']) =>
          text
            .toLowerCase()
            .replaceAll(/[^\w -]/g, '')
            .replaceAll(' ', '-'),
        )
        if (anchor !== '') expect(headings, `${name}: ${file}#${anchor}`).toContain(anchor)
      }
  })
})

describe('the error codes of docs/workflows.md', () => {
  const files = (folder: string) =>
    readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => read(`${folder}/${name}`))
  const codesIn = (texts: readonly string[]) =>
    new Set(texts.flatMap((text) => [...text.matchAll(/'([A-Z]+(?:_[A-Z]+)+|TERMINATED|STUCK|REJECTED)'/g)].map(([, code = '']) => code)))
  const rows = page.slice(page.indexOf('## Error codes')).matchAll(/^\| (`[A-Z].*?) \| (.*) \|$/gm)
  const told = new Set([...rows].flatMap(([, codes = '']) => [...codes.matchAll(/`(\w+)`/g)].map(([, code = '']) => code)))

  it('all exist in the sources', () => {
    const known = codesIn(files('src'))
    expect(told.size).toBeGreaterThan(45)
    expect([...told].filter((code) => !known.has(code))).toEqual([])
  })

  it('are all with which blocks, steps and the engine end a run', () => {
    // thrown at callers and listeners, or refused before there is a run
    const elsewhere = [
      ...['STORAGE_FAILED', 'RUN_WAIT_TIMEOUT', 'PLAYBOOK_VERSION_CONFLICT', 'DUPLICATE_PLAYBOOK', 'RUN_LEASE_LOST'],
      'RUN_NOT_RUNNING', // of a single action in a run that ends
      'RUN_SUSPENDED', // aborts an execution; the run goes on
      'EAI_AGAIN', // of the system's resolver
    ]
    const used = codesIn([...files('src/blocks'), ...files('src/engine'), ...files('src/actions')])
    expect([...used].filter((code) => !told.has(code) && !elsewhere.includes(code))).toEqual([])
  })

  it('hold every code of a failed action that is in use', () => {
    const [, union = ''] = /type ActionErrorCode =([\s\S]*?)\n\n/.exec(read('src/errors/action-errors.ts')) ?? []
    const inUse = codesIn(['src/actions', 'src/playwright', 'src/sessions', 'src/engine', 'src/blocks'].flatMap(files))
    expect([...codesIn([union])].filter((code) => inUse.has(code) && !told.has(code))).toEqual([])
  })
})
