import { describe, expect, it } from 'vitest'
import { checkArchitecture } from './support/architecture/rules.js'
import { readFacts } from './support/architecture/source-facts.js'

/** The broken rules of some made-up files, as `rule path:line`. */
function broken(files: Readonly<Record<string, string>>): string[] {
  const violations = checkArchitecture(readFacts(new Map(Object.entries(files))))
  return violations.map(({ rule, path, line }) => `${rule} ${path}:${line}`)
}

/** The broken rules of one file of the engine, by default. */
const brokenIn = (text: string, path = 'engine/a.ts') => broken({ [path]: text }).map((found) => found.replace(`${path}:`, ''))

describe('directions', () => {
  it('lets a room import what is below it, and itself', () => {
    expect(brokenIn(`import { a } from '../blocks/index.js'\nimport './b.js'\nexport * from '../storage/a.js'`)).toEqual([])
  })

  it.each([
    ['an import', `import { a } from '../engine/index.js'`],
    ['an import for its effect', `import '../engine/index.js'`],
    ['a namespace import', `import * as engine from '../engine/index.js'`],
    ['an import of types', `import type { A } from '../engine/index.js'`],
    ['export … from', `export { a } from '../engine/index.js'`],
    ['export * from', `export * from '../engine/index.js'`],
    ['export type … from', `export type { A } from '../engine/index.js'`],
    ['a dynamic import', `const engine = await import('../engine/index.js')`],
    ['import … = require', `import engine = require('../engine/index.js')`],
    ['require', `const engine = require('../engine/index.js')`],
    ['an import inside a type', `let engine: import('../engine/index.js').Engine`],
  ])('sees %s of a room above', (_, text) => {
    expect(brokenIn(text, 'storage/a.ts')).toEqual(['direction 1'])
  })

  it('lets only types through where the house says so', () => {
    expect(brokenIn(`import type { A } from '../sessions/index.js'\nexport type { B } from '../streaming/b.js'`)).toEqual([])
    expect(brokenIn(`import { a } from '../sessions/index.js'`)).toEqual(['direction 1'])
    expect(brokenIn(`import { type A } from '../sessions/index.js'`)).toEqual(['direction 1'])
  })

  it('keeps the entries out of the main entry, and everything in src/', () => {
    expect(broken({ 'index.ts': `export * from './engine/index.js'\nexport * from './http/index.js'` })).toEqual(['direction index.ts:2'])
    expect(brokenIn(`import manifest from '../../package.json'`)).toEqual(['direction 1'])
  })

  it('lets testing/ import anything, and nobody import it', () => {
    expect(brokenIn(`import '../engine/a.js'\nimport '../playwright/a.js'`, 'testing/a.ts')).toEqual([])
    expect(brokenIn(`import '../testing/index.js'`)).toEqual(['direction 1'])
  })

  it('refuses a folder that is no room', () => {
    expect(brokenIn(`import '../errors/index.js'`, 'helpers/a.ts')).toEqual(['direction 1'])
  })
})

describe('cycles', () => {
  it('finds one through several files, once, and one of a file with itself', () => {
    const ring = {
      'engine/a.ts': `import './b.js'`,
      'engine/b.ts': `import type { C } from './c.js'`,
      'engine/c.ts': `export * from './a.js'`,
    }
    expect(broken(ring)).toEqual(['cycle engine/a.ts:1'])
    expect(brokenIn(`import './a.js'`)).toEqual(['cycle 1'])
  })

  it('takes neither a diamond nor a lazy import for one', () => {
    const diamond = {
      'engine/a.ts': `import './b.js'\nimport './c.js'`,
      'engine/b.ts': `import './d.js'`,
      'engine/c.ts': `import './d.js'`,
    }
    expect(broken({ ...diamond, 'engine/d.ts': `const a = () => import('./a.js')` })).toEqual([])
  })
})

describe('what only runtime/ touches', () => {
  it.each([
    'const at = Date.now()',
    `const at = Date['now']()`,
    'const at = globalThis.Date.now()',
    'const { now } = Date',
    'const at = new Date()',
    'const at = new Date',
    'const at = Date()',
    'const at = performance.now()',
    `import { performance as p } from 'node:perf_hooks'; p.now()`,
    'setTimeout(() => {}, 1)',
    'const options = { setTimeout }',
    'const later = globalThis.setInterval',
    'setImmediate(() => {})',
    `import { setTimeout as sleep } from 'node:timers/promises'; await sleep(1)`,
    `import * as timers from 'node:timers'; timers.setTimeout(() => {}, 1)`,
    'const signal = AbortSignal.timeout(1)',
    'const number = Math.random()',
    'const id = crypto.randomUUID()',
    `import { randomUUID } from 'node:crypto'; const id = randomUUID()`,
    `import * as c from 'node:crypto'; const bytes = c.randomBytes(8)`,
    `process.env.HOME = '/'`,
    `process.env['HOME'] ??= '/'`,
    'delete process.env.HOME',
    `Object.assign(process.env, { HOME: '/' })`,
  ])('%s', (text) => {
    expect(brokenIn(text)).toEqual(['runtime-only 1'])
    expect(brokenIn(text, 'runtime/a.ts')).toEqual([])
  })

  it.each([
    'const at = new Date(clock.now())',
    'const year = (at: Date) => at.getFullYear()',
    'clock.setTimeout(1)',
    'const setTimeout = (ms: number) => ms; setTimeout(1)',
    'type Timer = ReturnType<typeof setTimeout>',
    'clearTimeout(timer)',
    'interface Clock { setTimeout(ms: number): void; performance: { now(): number } }',
    'const home = process.env.HOME',
    'const largest = Math.max(1, 2)',
    `import { createHash } from 'node:crypto'; createHash('sha256')`,
    'const text = "Date.now()" // Date.now()',
  ])('lets %s be', (text) => expect(brokenIn(text)).toEqual([]))
})

describe('process and terminal', () => {
  it.each([
    `console.log('a')`,
    `import { log } from 'node:console'; log('a')`,
    `process.stdout.write('a')`,
    `process.on('SIGINT', () => {})`,
    `process.once('exit', () => {})`,
    'process.exit(1)',
    `import { exit } from 'node:process'; exit(1)`,
    `import host from 'node:process'; host.on('exit', () => {})`,
    'process.exitCode = 1',
  ])('%s', (text) => {
    expect(brokenIn(text)).toEqual(['process-and-console 1'])
    expect(brokenIn(text, 'runtime/a.ts')).toEqual(['process-and-console 1'])
  })

  it('lets a process that is not ours be', () => {
    expect(brokenIn(`export function watch(process: Child) { process.on('exit', () => process.kill()) }`)).toEqual([])
  })

  it('lets one file handle signals', () => {
    expect(brokenIn(`process.on('SIGINT', () => {})`, 'engine/close-on-signals.ts')).toEqual([])
    expect(brokenIn('process.exit(1)', 'engine/close-on-signals.ts')).toEqual(['process-and-console 1'])
  })
})

describe('packages', () => {
  it.each([
    ['eventemitter3', 'events/a.ts'],
    ['p-queue', 'engine/dispatcher.ts'],
    ['ulid', 'runtime/ids.ts'],
    ['ws', 'streaming/a.ts'],
    ['ws', 'http/a.ts'],
    ['@huggingface/jinja', 'definition/a.ts'],
    ['zod', 'definition/a.ts'],
  ])('%s may be imported in %s and not in scripts/ or runtime/', (name, path) => {
    const text = `import { a } from '${name}'`
    expect(brokenIn(text, path)).toEqual([])
    expect(brokenIn(text, name === 'zod' ? 'runtime/clock.ts' : 'scripts/a.ts')).toEqual(['package 1'])
  })

  it('lets errors/ use the types of zod only', () => {
    expect(brokenIn(`import type { z } from 'zod'`, 'errors/a.ts')).toEqual([])
    expect(brokenIn(`import { z } from 'zod'`, 'errors/a.ts')).toEqual(['package 1'])
  })

  it('lets only playwright/ load playwright-core, and only lazily', () => {
    expect(brokenIn(`const playwright = await import('playwright-core')`, 'playwright/a.ts')).toEqual([])
    expect(brokenIn(`import type { Page } from 'playwright-core'`, 'playwright/a.ts')).toEqual([])
    expect(brokenIn(`import { chromium } from 'playwright-core'`, 'playwright/a.ts')).toEqual(['package 1'])
    expect(brokenIn(`import type { Page } from 'playwright-core'`, 'actions/a.ts')).toEqual(['package 1'])
  })

  it('refuses a package that is not listed, by a path inside it too', () => {
    expect(brokenIn(`import merge from 'lodash/merge.js'`)).toEqual(['package 1'])
    expect(brokenIn(`import { parse } from '@scope/parse/fast.js'`)).toEqual(['package 1'])
    expect(brokenIn(`import { a } from 'constructor'`)).toEqual(['package 1'])
  })

  it('keeps node: and packages out of browser scripts, which have their own clock', () => {
    const viewer = 'http/public/viewer/a.js'
    expect(brokenIn(`import { join } from 'node:path'\nimport 'zod'`, viewer)).toEqual(['package 1', 'package 2'])
    expect(brokenIn(`import RFB from '../novnc/core/rfb.js'\nsetTimeout(() => {}, 1)`, viewer)).toEqual([])
  })
})

describe('shapes', () => {
  it.each(['export default 1', 'export default function a() {}', 'export default class A {}', 'const a = 1; export { a as default }'])(
    'refuses %s',
    (text) => expect(brokenIn(text)).toEqual(['default-export 1']),
  )

  it('refuses enums', () => {
    expect(brokenIn('export enum Status { Running }\nconst enum Other { A }')).toEqual(['enum 1', 'enum 2'])
  })
})
