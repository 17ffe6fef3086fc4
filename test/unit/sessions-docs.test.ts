import { readFileSync } from 'node:fs'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import type { z } from 'zod'
import { readErrors } from '../../scripts/docs/error-classes.js'
import { attachSchema } from '../../src/sessions/attach-options.js'
import { CLOSE_REASONS, closeSchema } from '../../src/sessions/close-options.js'
import {
  acquireSchema,
  closeAllSchema,
  createSessionSchema,
  drainSchema,
  listSchema,
  occupySchema,
  renewSchema,
  sessionPoolOptionsSchema,
} from '../../src/sessions/options.js'
import { createProfileSchema, saveProfileSchema } from '../../src/sessions/profiles/profile-params.js'
import { releaseSchema } from '../../src/sessions/release-options.js'
import { SessionPool } from '../../src/sessions/session-pool.js'
import { statusesBefore, statusFor } from '../../src/sessions/session-status.js'
import { MemoryStorage } from '../../src/storage/index.js'
import { FakeBrowserDriver, type FakeSite } from '../../src/testing/index.js'
import { createWorld, startPool } from './sessions/kit.js'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const page = read('docs/sessions.md')
const codesOf = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)
/** The rows of the first table behind a text. */
const rowsAfter = (mark: string) => {
  expect(page.split(mark), mark).toHaveLength(2)
  const [, table = ''] = /\n((?:\|.*\|\n)+)/.exec(page.split(mark)[1] ?? '') ?? []
  return [...table.matchAll(/^\|(.*)\|$/gm)].slice(2).map(([, row = '']) => row.split('|').map((cell) => cell.trim()))
}

const site: FakeSite = { 'https://shop.test/': { title: 'Shop', elements: [] } }

describe('docs/sessions.md', () => {
  it('lists every call of the pool, and no other', () => {
    const calls = Object.entries(Object.getOwnPropertyDescriptors(SessionPool.prototype))
      .filter(([, { value }]) => typeof value === 'function')
      .map(([name]) => name)
    // told elsewhere: what engines call, how events are listened to, the same calls for one organisation
    const others = ['constructor', 'useNetworkGuard', 'on', 'onAny', 'forOrganization']
    const told = rowsAfter('\n## Calls\n').map(([call]) => codesOf(call)[0])
    expect(told.toSorted()).toEqual(calls.filter((name) => !others.includes(name)).toSorted())
  })

  const given = { storage: new MemoryStorage(), driver: new FakeBrowserDriver() }
  it.each([
    ['createSessionSchema', createSessionSchema, {}],
    ['sessionPoolOptionsSchema', sessionPoolOptionsSchema, given],
  ] as const)('tells every option of %s with its default', (name, schema, required) => {
    const rows = rowsAfter(`<!-- options of ${name} -->`)
    const shape: Readonly<Record<string, z.ZodType>> = schema.shape
    expect(rows.map(([option]) => codesOf(option)[0]).toSorted()).toEqual(Object.keys(shape).toSorted())
    const parsed = schema.parse(required) as Readonly<Record<string, unknown>>
    for (const [option = '', byDefault = ''] of rows) {
      const key = codesOf(option)[0] ?? ''
      const [literal = ''] = /^`[^`]*`$/.test(byDefault) ? codesOf(byDefault) : []
      if (byDefault === 'required') expect(shape[key]?.safeParse(undefined).success, key).toBe(false)
      else if (literal !== '') expect(shown(parsed[key]), key).toBe(literal)
      // in words: nothing, or something of this process
      else expect(parsed[key] === undefined || isOfTheProcess(key, parsed[key]), key).toBe(true)
    }
  })

  it('tells every argument of who asks for one', () => {
    const rows = new Map(rowsAfter('\n### Who asks\n').map(([call, takes]) => [codesOf(call)[0], codesOf(takes)]))
    expect(rows.get('occupy')?.toSorted()).toEqual(Object.keys(occupySchema.shape).toSorted())
    expect(rows.get('acquire')?.toSorted()).toEqual(Object.keys(acquireSchema.shape).toSorted())
    const { wait: _wait, priority: _priority, ...attach } = occupySchema.shape
    expect(Object.keys(attachSchema.shape)).toEqual(Object.keys(attach))
  })

  it.each([
    ['release', releaseSchema],
    ['renew', renewSchema],
    ['close', closeSchema],
    ['closeAll', closeAllSchema],
    ['drain', drainSchema],
    ['list', listSchema],
    ['saveProfile', saveProfileSchema],
    ['createProfile', createProfileSchema],
  ] as const)('tells every argument of %s with its default', (call, schema) => {
    const rows = rowsAfter('\n### Other arguments\n').filter(([name]) => codesOf(name)[0] === call)
    const named = rows.map(([, argument]) => codesOf(argument)[0])
    const ids = ['organizationId', 'browserSessionId'] // said above the table, once for all
    expect(named.toSorted()).toEqual(
      Object.keys(schema.shape)
        .filter((key) => !ids.includes(key))
        .toSorted(),
    )
    const shape: Readonly<Record<string, z.ZodType>> = schema.shape
    for (const [, argument, byDefault = ''] of rows) {
      const key = codesOf(argument)[0] ?? ''
      const found = shape[key]?.safeParse(undefined)
      if (byDefault === 'required') expect(found?.success, key).toBe(false)
      else expect(found?.data === undefined ? '' : shown(found.data), key).toBe(codesOf(byDefault)[0] ?? '')
    }
  })

  it('tells every reason for an end, with its status', () => {
    const rows = rowsAfter('`closeReason` tells why it ended:')
    const told = rows.flatMap(([reasons, status]) => codesOf(reasons).map((reason) => [reason, status]))
    expect(Object.fromEntries(told)).toEqual(Object.fromEntries(CLOSE_REASONS.map((reason) => [reason, statusFor(reason)])))
  })

  it('draws arrows that a status may take', () => {
    const [, diagram = ''] = /```mermaid\nstateDiagram-v2\n([\s\S]*?)```/.exec(page) ?? []
    const arrows = [...diagram.matchAll(/^ {2}(\w+) --> (\w+)/gm)].map(([, from = '', to = '']) => [from, to] as const)
    expect(arrows.length).toBeGreaterThan(8)
    for (const [from, to] of arrows) expect(statusesBefore(to as 'running'), `${from} to ${to}`).toContain(from)
  })

  it('tells what to do about every error of sessions and profiles', () => {
    const { classes, unions } = readErrors(['session-errors', 'profile-errors'].map((name) => read(`src/errors/${name}.ts`)))
    const told = rowsAfter('\n## Troubleshooting\n').flatMap(([, code]) => codesOf(code))
    // the reason in `artifact.failed`: nobody catches it
    const codes = classes.flatMap((error) => error.codes).filter((code) => code !== 'RECORDING_FAILED')
    expect(codes.length).toBeGreaterThan(20)
    expect(told).toEqual(expect.arrayContaining(codes))
    expect(unions).toEqual([]) // else they have to be told, too
    const [, categories = ''] = /type LaunchFailureCategory =([\s\S]*?)\n\n/.exec(read('src/errors/session-errors.ts')) ?? []
    const [, , meaning] = rowsAfter('\n## Troubleshooting\n').find(([, code]) => code === '`BROWSER_LAUNCH_FAILED`') ?? []
    const own = ['executable_missing', 'profile_locked'] // have codes of their own
    const named = [...categories.matchAll(/\| '(\w+)'/g)].map(([, category = '']) => category).filter((category) => !own.includes(category))
    expect(codesOf(meaning)).toEqual(['category', ...named, 'details.output'])
  })

  it('names the figures and the instruments', async () => {
    const names: string[] = []
    const instrument = (name: string) => {
      names.push(name)
      return { addCallback() {}, removeCallback() {}, record() {}, add() {} }
    }
    const meter = { createObservableGauge: instrument, createHistogram: instrument, createCounter: instrument }
    const { pool } = await startPool({ meter })
    expect(
      rowsAfter('`meter` takes an OpenTelemetry')
        .map(([name]) => codesOf(name)[0])
        .toSorted(),
    ).toEqual(names.toSorted())
    const [, figures = ''] = /`stats\(\)`: (.*)/.exec(page) ?? []
    expect(codesOf(figures)).toEqual(expect.arrayContaining(Object.keys(pool.stats())))
    const statuses = rowsAfter('\n## Figures\n').map(([status]) => codesOf(status)[0])
    const [, union = ''] = /interface PoolHealth {\n.*status: (.*)\n/.exec(read('src/sessions/pool-stats.ts')) ?? []
    expect(statuses).toEqual([...union.matchAll(/'(\w+)'/g)].map(([, status]) => status))
  })

  const codes = [...page.matchAll(/<!-- run -->\n```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code)
  it('shows code', () => expect(codes.length).toBeGreaterThan(4))
  it.each(codes.map((code, index) => [index + 1, code] as const))('shows code that does what it says (%i)', async (_, code) => {
    const world = createWorld()
    const { pool } = await startPool({ driver: new FakeBrowserDriver({ clock: world.clock, site, keepsState: true }) }, world)
    const printed = await play(code, pool)
    const claims = [...code.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)].map(([, claim]) => claim)
    expect(claims.length).toBeGreaterThan(0)
    expect(printed).toEqual(claims)
  })

  it('has links that lead somewhere', () => {
    const anchors = (text: string) =>
      [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
        heading
          .toLowerCase()
          .replaceAll(/[^\w -]/g, '')
          .replaceAll(' ', '-'),
      )
    const links = [...page.matchAll(/\]\(([^)#]*)(?:#([\w-]+))?\)/g)]
    expect(links.length).toBeGreaterThan(10)
    for (const [link, file = '', anchor = ''] of links) {
      const target = file === '' ? page : read(`docs/${file}`)
      if (anchor !== '') expect(anchors(target), link).toContain(anchor)
    }
  })
})

/** A default as the page writes it: `30_000`, `chromium`, `[]`. */
function shown(value: unknown): string {
  if (typeof value === 'number') return String(value).replaceAll(/\B(?=(\d{3})+$)/g, '_')
  return typeof value === 'string' ? value : JSON.stringify(value)
}

const isOfTheProcess = (key: string, value: unknown) => typeof value === 'object' || ['machineId', 'baseDirectory'].includes(key)

/** Runs what the page shows, as a reader would; gives what it prints. */
async function play(code: string, sessions: SessionPool): Promise<string[]> {
  const printed: string[] = []
  const console = { log: (...values: unknown[]) => void printed.push(values.join(' ')) }
  const { outputText } = ts.transpileModule(code, { compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext } })
  await new Function('sessions', 'console', `return (async () => { ${outputText} })()`)(sessions, console)
  return printed
}
