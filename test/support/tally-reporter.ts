import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Reporter, TestCase, TestModule } from 'vitest/node'
import { reasonInName, withoutReason } from './skip-reason.js'

/** What one run of the test runner came to. */
export interface Tally {
  readonly passed: number
  readonly failed: number
  readonly skipped: readonly { readonly name: string; readonly reason: string }[]
}

const NO_REASON = 'no reason given'

/**
 * Prints every skipped test with its reason after a run, and writes the tally to a file of the folder `RUNWRIGHT_TALLY`, when that is
 * set. A skip without a reason counts as failed: nobody could tell whether it should be one.
 */
export class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const cases = modules.flatMap((module) => [...module.children.allTests()])
    const inState = (state: string) => cases.filter((testCase) => testCase.result().state === state)
    const skipped = inState('skipped').map((testCase) => ({ name: nameOf(testCase), reason: reasonOf(testCase) }))
    const unexplained = skipped.filter(({ reason }) => reason === NO_REASON).length
    const brokenModules = modules.filter((module) => module.state() === 'failed' && !hasFailedTest(module)).length
    for (const { name, reason } of skipped) console.log(`skipped: ${name}: ${reason}`)
    if (unexplained > 0) console.log(`${unexplained} skipped without a reason: see test/support/skips.ts`)
    if (unexplained > 0) process.exitCode = 1
    writeTally({
      passed: inState('passed').length,
      failed: inState('failed').length + inState('pending').length + brokenModules + unhandledErrors.length + unexplained,
      skipped: skipped.filter(({ reason }) => reason !== NO_REASON),
    })
  }
}

function hasFailedTest(module: TestModule): boolean {
  return [...module.children.allTests()].some((testCase) => testCase.result().state === 'failed')
}

function nameOf(testCase: TestCase): string {
  return `${testCase.module.relativeModuleId} > ${withoutReason(testCase.fullName)}`
}

function reasonOf(testCase: TestCase): string {
  const result = testCase.result()
  return (result.state === 'skipped' ? result.note : undefined) ?? reasonInName(testCase.fullName) ?? NO_REASON
}

function writeTally(tally: Tally): void {
  const folder = process.env.RUNWRIGHT_TALLY
  if (folder === undefined || folder === '') return
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `${process.pid}.json`), JSON.stringify(tally))
}
