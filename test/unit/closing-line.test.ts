import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { nameWithReason, reasonInName, withoutReason } from '../support/skip-reason.js'

const script = fileURLToPath(new URL('../../scripts/ci/closing-line.mjs', import.meta.url))

describe('the closing line of a CI run', () => {
  let folder: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'runwright-tally-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const tally = (name: string, content: { passed: number; failed: number; skipped: { name: string; reason: string }[] }) =>
    writeFileSync(join(folder, `${name}.json`), JSON.stringify(content))
  const close = (...failedSteps: string[]) => {
    const { status, stdout } = spawnSync(process.execPath, [script, folder, ...failedSteps], { encoding: 'utf8' })
    return { status, lines: stdout.trimEnd().split('\n') }
  }

  it('adds up all runs and tells each skip with its reason', () => {
    tally('1', { passed: 5, failed: 0, skipped: [{ name: 'a', reason: 'no display' }] })
    tally('2', { passed: 7, failed: 0, skipped: [] })
    expect(close()).toEqual({ status: 0, lines: ['skipped: a: no display', '12 passed, 0 failed, 1 skipped'] })
  })

  it('fails on a failed test, counted once', () => {
    tally('1', { passed: 5, failed: 2, skipped: [] })
    expect(close('test')).toEqual({ status: 1, lines: ['failed steps: test', '5 passed, 2 failed, 0 skipped'] })
  })

  it('counts each other step that failed', () => {
    tally('1', { passed: 5, failed: 0, skipped: [] })
    expect(close('lint', 'docs')).toEqual({ status: 1, lines: ['failed steps: lint, docs', '5 passed, 2 failed, 0 skipped'] })
  })

  it('fails when the tests could not begin, or none ran', () => {
    expect(close('install')).toEqual({ status: 1, lines: ['failed steps: install', 'no test ran', '0 passed, 1 failed, 0 skipped'] })
    expect(close()).toEqual({ status: 1, lines: ['no test ran', '0 passed, 1 failed, 0 skipped'] })
  })
})

describe('the reason of a skip', () => {
  it('is kept in the name of the skipped tests', () => {
    const fullName = `${nameWithReason('a display', 'no Xtigervnc')} > starts`
    expect(reasonInName(fullName)).toBe('no Xtigervnc')
    expect(withoutReason(fullName)).toBe('a display > starts')
    expect(reasonInName('a display > starts')).toBeUndefined()
  })
})
