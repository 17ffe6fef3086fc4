import { readFileSync } from 'node:fs'
import ts from 'typescript'
import { afterEach, describe, expect, it } from 'vitest'
import type { z } from 'zod'
import { readErrors } from '../../scripts/docs/error-classes.js'
import { MAX_TRIGGER_DEPTH } from '../../src/engine/children/ancestors.js'
import { MAX_TAKEOVERS } from '../../src/engine/dispatch/claim-kind.js'
import { engineOptionsSchema } from '../../src/engine/engine-options.js'
import { createWorkflowSchema, listRunsSchema, startRunSchema } from '../../src/engine/engine-params.js'
import { DEFAULT_STOP_TIMEOUT_MS } from '../../src/engine/run-executor.js'
import { DEFAULT_RUN_LEASE_TTL_MS } from '../../src/engine/run-leases.js'
import { RUN_TRANSITIONS } from '../../src/engine/run-status.js'
import { SWEEP_INTERVAL_MS } from '../../src/engine/sweep.js'
import { MemoryStorage, WorkflowEngine } from '../../src/index.js'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const pages = { runs: read('docs/runs.md'), recovery: read('docs/recovery.md'), workflows: read('docs/workflows.md') }
const codesOf = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)
/** The rows of the first table behind a text. */
const rowsAfter = (page: string, mark: string) => {
  expect(page.split(mark), mark).toHaveLength(2)
  const [, table = ''] = /\n((?:\|.*\|\n)+)/.exec(page.split(mark)[1] ?? '') ?? []
  return [...table.matchAll(/^\|(.*)\|$/gm)].slice(2).map(([, row = '']) => row.split(' | ').map((cell) => cell.replaceAll('|', '').trim()))
}

const engines: WorkflowEngine[] = []
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.destroy()
})

describe('docs/runs.md', () => {
  it('tells and draws what status may follow which, as the one table has it', () => {
    const all = Object.entries(RUN_TRANSITIONS).flatMap(([from, next]) => next.map((to) => `${from} --> ${to}`))
    const told = rowsAfter(pages.runs, 'as a condition of the write itself:').flatMap(([from, next]) =>
      codesOf(from).flatMap((each) => codesOf(next).map((to) => `${each} --> ${to}`)),
    )
    expect(told.toSorted()).toEqual(all.toSorted())
    const [, diagram = ''] = /```mermaid\nstateDiagram-v2\n([\s\S]*?)```/.exec(pages.runs) ?? []
    const drawn = [...diagram.matchAll(/^ {2}(\w+ --> \w+)/gm)].map(([, arrow = '']) => arrow)
    expect(drawn.toSorted()).toEqual(all.toSorted())
  })

  const given = {
    startRunSchema: { workflowPermanentId: 'w' },
    engineOptionsSchema: { storage: new MemoryStorage() },
    listRunsSchema: {},
    createWorkflowSchema: { title: 't', definition: {} },
  }
  it.each([
    ['runs', 'startRunSchema', startRunSchema],
    ['runs', 'engineOptionsSchema', engineOptionsSchema],
    ['runs', 'listRunsSchema', listRunsSchema],
    ['workflows', 'createWorkflowSchema', createWorkflowSchema],
  ] as const)('(docs/%s.md) tells every option of %s with its default', (page, name, schema) => {
    const rows = rowsAfter(pages[page], `<!-- options of ${name} -->`)
    const shape: Readonly<Record<string, z.ZodType>> = schema.shape
    expect(rows.map(([option]) => codesOf(option)[0]).toSorted()).toEqual(Object.keys(shape).toSorted())
    const parsed = schema.parse(given[name]) as Readonly<Record<string, unknown>>
    for (const [option = '', byDefault = ''] of rows) {
      const key = codesOf(option)[0] ?? ''
      const [literal = ''] = /^`[^`]*`$/.test(byDefault) ? codesOf(byDefault) : []
      if (byDefault === 'required') expect(shape[key]?.safeParse(undefined).success, key).toBe(false)
      else if (literal !== '') expect(shown(parsed[key]), key).toBe(literal)
      // in words: nothing, or something of this process
      else expect(parsed[key] === undefined || (typeof parsed[key] === 'object' && parsed[key] !== null), key).toBe(true)
    }
  })

  it('lists calls that are there', () => {
    const calls = rowsAfter(pages.runs, '\n## Reading back\n').map(([call]) => codesOf(call)[0] ?? '')
    expect(calls.length).toBeGreaterThan(8)
    for (const call of calls) expect(WorkflowEngine.prototype[call as 'getRun'], call).toBeTypeOf('function')
  })

  it('tells what to do about every error of runs, and about how runs end besides their blocks', () => {
    const { classes } = readErrors([read('src/errors/run-errors.ts')])
    const told = rowsAfter(pages.runs, '\n## Troubleshooting\n').flatMap(([, code]) => codesOf(code))
    const elsewhere = [
      ...['BLOCK_FAILED', 'BLOCK_TERMINATED'], // of blocks
      ...['DEBUG_SESSION_NOT_FOUND', 'WEBHOOK_DELIVERY_NOT_FOUND', 'WEBHOOK_NOT_VERIFIED'], // on pages of their own
      'ILLEGAL_TRANSITION', // nobody throws it
    ]
    const codes = classes.flatMap((error) => error.codes)
    expect(codes.length).toBeGreaterThan(18)
    expect(told).toEqual(expect.arrayContaining(codes.filter((code) => !elsewhere.includes(code))))
    const sources = ['run-plan', 'run-history', 'run-outcome', 'dispatch/start-gate', 'dispatch/wait-deadlines', 'children/child-runs']
    const ends = sources.flatMap((name) => codesIn(read(`src/engine/${name}.ts`))).filter((code) => code !== 'SETUP_FAILED')
    expect(ends).toEqual(expect.arrayContaining(['HOST_LOST', 'OUTCOME_UNKNOWN', 'CRASH_LOOP', 'DEPENDENCY_FAILED', 'CHILD_RUN_DEADLOCK']))
    expect(told).toEqual(expect.arrayContaining(ends))
    const known = new Set(told.filter((code) => /^[A-Z]/.test(code)))
    const all = [...codesIn(['docs/errors.md', 'docs/workflows.md'].map(read).join('\n')), 'RUN_WAIT_TIMEOUT']
    expect([...known].filter((code) => !all.includes(code))).toEqual([])
  })

  const codes = [...pages.runs.matchAll(/<!-- run -->\n```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code)
  it('shows code', () => expect(codes.length).toBeGreaterThan(10))
  it.each(codes.map((code, index) => [index + 1, code] as const))('shows code that does what it says (%i)', async (_, code) => {
    const handlers = {
      double: ({ parameters }: { parameters: Readonly<Record<string, unknown>> }) => Number(parameters.n) * 2,
      post: () => null,
    }
    const engine = new WorkflowEngine({ storage: new MemoryStorage(), organizationId: 'acme', handlers })
    engines.push(engine)
    await engine.start()
    const printed = await play(code, engine)
    const beside = [...code.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)].map(([, claim]) => claim)
    const below = [...code.matchAll(/^\/\/ (.*)$/gm)].map(([, claim]) => claim)
    expect(beside.length + below.length).toBeGreaterThan(0)
    expect(printed).toEqual([...beside, ...below])
  })
})

describe('docs/recovery.md', () => {
  it('names the times and limits as they are', () => {
    const { recovery, runs } = pages
    const seconds = (ms: number) => `${ms / 1_000} s`
    const rows = new Map(rowsAfter(recovery, '\n## Leases and their times\n').map(([what, time]) => [what, time]))
    expect(rows.get('a lease, without a heartbeat')).toContain(seconds(DEFAULT_RUN_LEASE_TTL_MS))
    expect(rows.get('heartbeats')).toContain(seconds(DEFAULT_RUN_LEASE_TTL_MS / 3))
    expect(rows.get('a host stops itself')).toContain(seconds((DEFAULT_RUN_LEASE_TTL_MS * 2) / 3))
    expect(rows.get('others look')).toContain(seconds(SWEEP_INTERVAL_MS))
    expect(recovery).toContain(`at most ${MAX_TAKEOVERS} takeovers`)
    expect(runs).toContain(`At most ${MAX_TRIGGER_DEPTH} runs stand above`)
    expect(runs).toContain(`waits for running runs, ${seconds(DEFAULT_STOP_TIMEOUT_MS)} at most`)
    expect(runs).toContain(`every ${seconds(SWEEP_INTERVAL_MS)}`)
  })

  it('names drills that are there', () => {
    const files = codesOf(pages.recovery.replaceAll(/```[\s\S]*?```/g, '')).filter((code) => code.startsWith('test/'))
    expect(files.length).toBeGreaterThan(4)
    for (const file of files) expect(read(file).length, file).toBeGreaterThan(0)
  })
})

it('docs/runs.md and docs/recovery.md have links that lead somewhere', () => {
  const anchors = (text: string) =>
    [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\w -]/g, '')
        .replaceAll(' ', '-'),
    )
  for (const page of [pages.runs, pages.recovery]) {
    const links = [...page.matchAll(/\]\(([^)#]*)(?:#([\w-]+))?\)/g)]
    expect(links.length).toBeGreaterThan(6)
    for (const [link, file = '', anchor = ''] of links) {
      const target = file === '' ? page : read(`docs/${file}`)
      if (anchor !== '') expect(anchors(target), link).toContain(anchor)
    }
  }
})

const codesIn = (text: string) => [...text.matchAll(/['`]([A-Z]+(?:_[A-Z]+)+|REJECTED)['`]/g)].map(([, code = '']) => code)

/** A default as the page writes it: `30_000`, `chromium`, `[]`. */
function shown(value: unknown): string {
  if (typeof value === 'number') return String(value).replaceAll(/\B(?=(\d{3})+$)/g, '_')
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Runs what the page shows, as a reader would; gives what it prints. */
async function play(code: string, engine: WorkflowEngine): Promise<string[]> {
  const printed: string[] = []
  const console = { log: (...values: unknown[]) => void printed.push(values.join(' ')) }
  const own = code.replaceAll(/^import .*$/gm, '')
  const { outputText } = ts.transpileModule(own, { compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext } })
  const names = ['console', 'MemoryStorage', 'WorkflowEngine']
  const brings = /^import /m.test(code) // its own engine, too
  const body = `return (async () => { ${outputText} })()`
  const values = [console, MemoryStorage, WorkflowEngine]
  const definition = { blocks: [{ type: 'validation', label: 'only', completeCriterion: '{{ true }}' }] }
  const given = brings ? {} : { engine, definition }
  await new Function(...names, ...Object.keys(given), body)(...values, ...Object.values(given))
  return printed
}
