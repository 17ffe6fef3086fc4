import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readErrors } from '../../../scripts/docs/error-classes.js'
import { DebugSessions } from '../../../src/debug/index.js'

const root = new URL('../../../', import.meta.url)
const page = readFileSync(new URL('docs/debug-sessions.md', root), 'utf8')

describe('docs/debug-sessions.md', () => {
  it('tells every call, and no other', () => {
    const [, table = ''] = /## Calls\n\n((?:\|.*\|\n)+)/.exec(page) ?? []
    const told = [...table.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name),
    )
    // told above the table
    const others = ['constructor', 'forOrganization', 'stop']
    const calls = Object.getOwnPropertyNames(DebugSessions.prototype).filter((name) => !others.includes(name))
    expect(told.toSorted()).toEqual(calls.toSorted())
  })

  it('names codes that there are', () => {
    const files = ['debug-errors.ts', 'run-errors.ts', 'session-errors.ts', 'definition-errors.ts']
    const { classes } = readErrors(files.map((name) => readFileSync(new URL(`src/errors/${name}`, root), 'utf8')))
    const known = classes.flatMap(({ codes }) => codes)
    const named = [...page.matchAll(/`([A-Z]+(?:_[A-Z]+)+)`/g)].map(([, code = '']) => code)
    expect(named.length).toBeGreaterThan(5)
    expect(named.filter((code) => !known.includes(code))).toEqual([])
  })
})
