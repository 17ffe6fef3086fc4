import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { describeUnless, missing } from '../support/skips.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

describeUnless(missing('chromium'), 'the examples in docs/', () => {
  it('first-workflow.ts does what docs/getting-started.md says', async () => {
    const command = ['scripts/run-example.mjs', 'examples/first-workflow.ts']
    const { stdout, stderr } = await promisify(execFile)(process.execPath, command, { cwd: root, timeout: 50_000 })
    expect(stderr).toBe('')
    expect(stdout).toMatch(/menu took \d+ ms\npick took \d+ ms\ncompleted \[ 'tea' \]/)
  })
})
