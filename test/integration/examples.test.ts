import { expect, it } from 'vitest'
import { runExample } from '../support/run-example.js'
import { describeUnless, missing } from '../support/skips.js'

describeUnless(missing('chromium'), 'the examples in docs/', () => {
  it('first-workflow.ts does what docs/getting-started.md says', async () => {
    expect(await runExample('first-workflow.ts')).toMatch(/menu took \d+ ms\npick took \d+ ms\ncompleted \[ 'tea' \]/)
  })
})
