import { describe, expect, it } from 'vitest'
import { runExample } from '../support/run-example.js'
import { describeUnless, missing } from '../support/skips.js'

describeUnless(missing('chromium'), 'the examples in docs/', () => {
  it('first-workflow.ts does what docs/getting-started.md says', async () => {
    expect(await runExample('first-workflow.ts')).toMatch(/menu took \d+ ms\npick took \d+ ms\ncompleted \[ 'tea' \]/)
  })
})

describe('webhooks.ts', () => {
  it('brings a result to a receiver that is busy at first, and that refuses what is forged', async () => {
    expect((await runExample('webhooks.ts')).trim().split('\n').toSorted()).toEqual([
      'Engine: attempt 1 failed, the receiver answered 503',
      'Engine: attempt 2 was taken',
      'Receiver: Invoices completed, total 42',
      'Receiver: busy, come back later',
      'Receiver: refused, wrong_signature',
      "The run's webhook: delivered",
    ])
  })
})
