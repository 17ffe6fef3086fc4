import { readdirSync, readFileSync } from 'node:fs'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { parseScopePolicy } from '../../src/actions/index.js'
import { STEP_FAILURE_MODES } from '../../src/definition/actions.js'
import { ACTION_TYPES, type Action, actionSchemas, isIdempotent, stepSchema } from '../../src/definition/index.js'
import { scopePolicySchema } from '../../src/definition/scope-policy.js'
import { engineOptionsSchema } from '../../src/engine/engine-options.js'
import * as main from '../../src/index.js'
import * as testing from '../../src/testing/index.js'
import { settle, startHost } from './engine/kit.js'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const page = read('docs/actions.md')
const guardrails = read('docs/guardrails.md')
const marked = (text: string, mark: string) =>
  [...text.matchAll(new RegExp(`<!-- ${mark} -->\\n\`\`\`ts\\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, code = '']) => code)
const rowsAfter = (text: string, heading: string) =>
  [...(text.split(heading)[1]?.split('\n## ')[0] ?? '').matchAll(/^\|(.*)\|$/gm)]
    .slice(2)
    .map(([, row = '']) => row.split('|').map((cell) => cell.trim()))
const codesOf = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)

const site: testing.FakeSite = {
  'https://shop.test/': {
    title: 'Shop',
    elements: [
      { css: '#search', label: 'Search' },
      { css: '#find', role: 'button', name: 'Find', tag: 'button', onClick: 'https://shop.test/found' },
      { css: '#stock', text: '7' },
    ],
  },
  'https://shop.test/found': {
    title: 'Thank you',
    elements: [
      { css: '#results', text: 'Thank you: 3 results' },
      { css: '#stock', text: '7' },
      { css: '#find', role: 'button', name: 'Find', tag: 'button' },
    ],
  },
}

const isLibrary = (name: string) => /^runwright(\/testing)?$/.test(name)

/** Runs what a page shows, as a reader would; gives what it prints, beside what its comments say that it does. */
async function play(code: string, names: Readonly<Record<string, unknown>>, prepared: Awaited<ReturnType<typeof startHost>>) {
  const printed: unknown[][] = []
  const console = { log: (...values: unknown[]) => void printed.push(values) }
  const imported: Record<string, unknown> = {}
  for (const [, list = '', from = ''] of code.matchAll(/^import \{(.*)\} from '(.*)'$/gm)) {
    for (const name of list.split(',').map((one) => one.trim())) {
      if (isLibrary(from)) imported[name] = ((from === 'runwright' ? main : testing) as Record<string, unknown>)[name]
      else imported[name] = ((await import(from)) as Record<string, unknown>)[name]
      expect(imported[name], `${name} of ${from}`).toBeDefined()
    }
  }
  const { outputText } = ts.transpileModule(code.replaceAll(/^import .*$/gm, ''), {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  })
  const all = { ...names, ...imported, console }
  const last = /^(?:const|let) (\w+) = defineBlock/m.exec(code)?.[1]
  const body = `return (async () => { ${outputText.replace('export {};', '')}\n${last === undefined ? '' : `return ${last}`} })()`
  const value = await settle(new Function(...Object.keys(all), body)(...Object.values(all)) as Promise<unknown>, prepared.clock)
  return { printed, value }
}

describe('docs/actions.md', () => {
  const table = rowsAfter(page, '## Types')

  it('lists every action type with its own fields', () => {
    expect(table.map(([type]) => codesOf(type)[0])).toEqual(ACTION_TYPES)
    for (const [type = '', fields = ''] of table) {
      const { shape } = actionSchemas[codesOf(type)[0] as Action['type']]
      const own = Object.keys(shape).filter((key) => !['type', 'intention', 'timeoutMs', 'onFailure', 'idempotent'].includes(key))
      expect(codesOf(fields), type).toEqual(own)
    }
  })

  it('says of each whether twice comes to the same', () => {
    for (const [type = '', , , twice = ''] of table) {
      const action = { type: codesOf(type)[0], clear: true } as Action
      expect(twice.startsWith('yes'), type).toBe(isIdempotent(action))
    }
    expect(isIdempotent({ type: 'input_text', clear: false } as Action)).toBe(false)
  })

  it('tells of every mode and every code of a failed action', () => {
    expect(rowsAfter(page, '## When a step fails').map(([mode]) => codesOf(mode)[0])).toEqual(
      expect.arrayContaining([...STEP_FAILURE_MODES]),
    )
    const [, union = ''] = /type ActionErrorCode =([\s\S]*?)\n\n/.exec(read('src/errors/action-errors.ts')) ?? []
    const told = rowsAfter(page, '## Codes, and what to do').flatMap(([codes]) => codesOf(codes))
    expect(told).toEqual(expect.arrayContaining([...union.matchAll(/'(\w+)'/g)].map(([, code = '']) => code)))
  })

  it('tells the defaults', () => {
    const settings = engineOptionsSchema.parse({ storage: new main.MemoryStorage() })
    expect(settings).toMatchObject({
      actionTimeoutMs: 15_000,
      navigationTimeoutMs: 30_000,
      maxObservationChars: 40_000,
      alternativeTargets: true,
    })
    for (const text of ['`actionTimeoutMs` (15 s)', '`navigationTimeoutMs` (30 s)', '`maxObservationChars` (40,000;'])
      expect(page).toContain(text)
  })

  it('shows steps that are accepted', () => {
    const steps = marked(page, 'step')
    expect(steps.length).toBeGreaterThan(1)
    for (const text of steps) expect(stepSchema.safeParse(new Function(`return ${text}`)()).error).toBeUndefined()
  })

  it('shows code that does what it says', async () => {
    const codes = marked(page, 'run')
    expect(codes.length).toBeGreaterThan(5)
    const host = await startHost({ driver: { site } })
    const { engine, pool: sessions, storage } = host
    const { browserSessionId } = await sessions.create({ url: 'https://shop.test/' })
    class WorkflowEngine extends main.WorkflowEngine {
      constructor(options: main.WorkflowEngineOptions) {
        super({ ...options, clock: host.clock, ids: host.ids })
      }
    }
    for (const code of codes) {
      await settle(engine.runAction({ browserSessionId, action: { type: 'goto_url', url: 'https://shop.test/' } }), host.clock)
      const { printed, value } = await play(code, { engine, sessions, storage, browserSessionId, WorkflowEngine }, host)
      const claims = [...code.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)].map(([, claim = '']) => claim)
      const shown = printed.map((values) => values.map(shownAs).join(' '))
      for (const claim of claims.filter((one) => one !== 'newest first')) expect(shown, code).toContain(claim)
      if (value !== undefined) await useBlock(value as main.BlockType)
    }
  }, 60_000)
})

const shownAs = (value: unknown): string => {
  if (Array.isArray(value)) return `[ ${value.map((one) => `'${one}'`).join(', ')} ]`
  if (typeof value === 'object' && value !== null) return JSON.stringify(value).replace(/\{"(\w+)":(\w+)\}/, '{ $1: $2 }')
  return String(value)
}

/** A block type that a page shows, in a run of its own. */
async function useBlock(block: main.BlockType): Promise<void> {
  const host = await startHost({ driver: { site }, engine: { blocks: [block] } })
  const steps: main.StepInput[] = [{ type: 'input_text', target: { label: 'Search' }, value: '{{ words }}' }]
  const playbooks: main.PlaybookInput[] = [{ name: 'search', parameters: [{ kind: 'workflow', key: 'words', type: 'string' }], steps }]
  const definition = { blocks: [{ type: 'stock', label: 'a', item: 'tea' }] } as never
  expect(await host.run(definition, { workflow: { playbooks } })).toMatchObject({
    status: 'completed',
    outputs: { a_output: { stock: 7 } },
  })
}

describe('docs/guardrails.md', () => {
  it('tells of every field of a policy, and what it is by default', () => {
    const rows = rowsAfter(guardrails, '## The policy').filter(([, byDefault]) => ['all', 'none', '`false`'].includes(byDefault ?? ''))
    const { shape } = scopePolicySchema
    expect(rows.map(([field]) => codesOf(field)[0]).sort()).toEqual(Object.keys(shape).sort())
    const parsed = scopePolicySchema.parse({}) as Record<string, unknown>
    for (const [field = '', byDefault = ''] of rows) {
      const value = parsed[codesOf(field)[0] ?? '']
      expect(value === undefined ? 'all' : Array.isArray(value) ? 'none' : `\`${value}\``, field).toBe(byDefault)
    }
  })

  it('shows a policy that is accepted', () => {
    const [text = ''] = marked(guardrails, 'policy')
    expect(parseScopePolicy(new Function(`return ${text}`)()).allowedDomains).toEqual(['example.com'])
  })

  it('names every rule that refuses, and no other', () => {
    const sources = ['src/actions/scope', 'src/actions/network', 'src/playwright'].flatMap((folder) =>
      readdirSync(new URL(`../../${folder}`, import.meta.url)).map((name) => read(`${folder}/${name}`)),
    )
    const used = sources.flatMap((text) =>
      [...text.matchAll(/\brule: ((?:'\w+'(?: \| )?)+)/g)].flatMap(([, rules = '']) => rules.match(/\w+/g) ?? []),
    )
    const table = guardrails.slice(guardrails.indexOf('| `rule` | Refused |')).split('\n\n')[0] ?? ''
    const told = [...table.matchAll(/^\| `(\w+)` \|/gm)].slice(1).map(([, rule = '']) => rule)
    expect(told.sort()).toEqual([...new Set(used)].sort())
  })

  it('shows code that does what it says', async () => {
    const address = 'https://shop.test/orders/1'
    const host = await startHost({
      driver: { site: { [address]: { elements: [{ css: '#place' }] } } },
      pool: { networkGuard: openNetwork },
    })
    const { pool: sessions, storage } = host
    class WorkflowEngine extends main.WorkflowEngine {
      constructor(options: main.WorkflowEngineOptions) {
        super({ ...options, clock: host.clock, ids: host.ids })
      }
    }
    const askCalendar = async () => ({ isOpen: false })
    const [code = ''] = marked(guardrails, 'run')
    const { printed } = await play(code, { WorkflowEngine, sessions, storage, askCalendar }, host)
    expect(printed).toEqual([['ACTION_BLOCKED']])
    const [action] = await host.memory.find({ table: 'actions', where: { type: 'click' } })
    expect(action?.error).toMatchObject({ message: expect.stringContaining('orders are placed in office hours') })
  })
})

/** A guard for browsers that send nothing. */
const openNetwork: main.NetworkGuard = {
  open: async () => ({ port: 4_000, launchArgs: [], admit: () => {}, apply: () => {}, close: async () => {} }),
}

describe('the pages about actions', () => {
  it('have links that lead somewhere', () => {
    const anchors = (text: string) =>
      [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
        heading
          .toLowerCase()
          .replaceAll(/[^\w -]/g, '')
          .replaceAll(' ', '-'),
      )
    for (const [name, text] of [
      ['actions.md', page],
      ['guardrails.md', guardrails],
    ] as const) {
      const links = [...text.matchAll(/\]\(([^)#]*)(?:#([\w-]+))?\)/g)]
      expect(links.length).toBeGreaterThan(3)
      for (const [link, file = '', anchor = ''] of links) {
        const target = file === '' ? text : read(`docs/${file}`)
        if (anchor !== '') expect(anchors(target), `${name}: ${link}`).toContain(anchor)
      }
    }
  })
})
