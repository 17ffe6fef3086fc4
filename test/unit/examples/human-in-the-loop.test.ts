import { expect, it } from 'vitest'
import { runExample } from '../../support/run-example.js'

it('human-in-the-loop.ts pauses, is approved from outside, and is rejected', async () => {
  const asked = [
    '  to ada@acme.example: Refund 40 € for A-17? [Pay it] [Keep it]',
    '  it is paused, and waits at "ask"; no worker is busy with it',
  ]
  expect((await runExample('human-in-the-loop.ts')).trimEnd().split('\n')).toEqual([
    ...['A run to approve:', ...asked, '  it is completed: paid: Ada says "as agreed"'],
    ...['A run to reject:', ...asked, '  it is failed: Block "ask" failed: rejected by Ada'],
  ])
}, 60_000)
