// Closes a CI run: each skipped test with its reason, the steps that failed, and the sum over all runs of the test runner as the last line.
// node scripts/ci/closing-line.mjs TALLY_FOLDER [FAILED_STEP…]
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const [folder, ...failedSteps] = process.argv.slice(2)
const tallies = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')))

const sum = (count) => tallies.reduce((total, tally) => total + count(tally), 0)
const passed = sum((tally) => tally.passed)
const failedTests = sum((tally) => tally.failed)
const skipped = tallies.flatMap((tally) => tally.skipped)
// A failed step whose tests were counted is in the sum already.
const uncounted = failedSteps.filter((step) => failedTests === 0 || !step.startsWith('test'))
const failed = failedTests + uncounted.length + (passed === 0 && failedSteps.length === 0 ? 1 : 0)

for (const { name, reason } of skipped) console.log(`skipped: ${name}: ${reason}`)
if (failedSteps.length > 0) console.log(`failed steps: ${failedSteps.join(', ')}`)
if (passed === 0) console.log('no test ran')
console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`)
process.exitCode = failed === 0 ? 0 : 1
