import { expect, it } from 'vitest'
import { runExample } from '../support/run-example.js'
import { describeUnless, missing } from '../support/skips.js'

it('two-engines.ts kills a host in mid-run, and the other goes on with its runs, where they stood', async () => {
  const lines = (await runExample('two-engines.ts')).trim().split('\n')
  const killed = lines.indexOf('A is killed')
  const lost = lines.slice(0, killed).flatMap((line) => /^A begins (.*)$/.exec(line)?.[1] ?? [])
  expect(lost).toHaveLength(2)
  expect(lines.slice(killed + 1).filter((line) => line.startsWith('A '))).toEqual([])
  const told = lines.slice(0, killed).filter((line) => line.startsWith('A has '))
  expect(told).not.toEqual([])
  for (const order of ['order 1', 'order 2', 'order 3', 'order 4']) {
    expect(lines.includes(`B takes ${order} over, and goes on where it stood`)).toBe(lost.includes(order))
    // what was done and told is not done again; what was not told may have been done, or not
    const by = (done: string) => (told.includes(`A has ${done} ${order}`) ? 'A' : lost.includes(order) ? '[AB]' : 'B')
    const result = new RegExp(`^${order}: completed, picked by ${by('picked')}, packed by ${by('packed')}, sent by B$`)
    expect(lines.slice(-4).filter((line) => result.test(line))).toHaveLength(1)
  }
}, 60_000)

describeUnless(missing('chromium'), 'the longer examples', () => {
  it('playbook.ts finds the button again that was made anew, and does each thing once', async () => {
    const [first = '', second = ''] = (await runExample('playbook.ts')).split(/^(?=Release 2)/m)
    expect(first).toMatch(/^Release 1: completed, Export EXP-1 holds 9 invoices. Recovered steps: 0\n/)
    expect(first).not.toContain('failed')
    expect(second).toMatch(/^Release 2: completed, Export EXP-1 holds 9 invoices. Recovered steps: 1\n/)
    expect(second).toContain('  completed  input_text Password = {{ account.password }}\n')
    expect(second).toContain(
      [
        '  failed     click #create-export (TARGET_NOT_FOUND)',
        '  failed     click #create-export (retry, TARGET_NOT_FOUND)',
        '  completed  click button Create export (alternative_target)',
      ].join('\n'),
    )
    expect(second.match(/completed {2}click/g)).toHaveLength(2)
  })

  it('persistent-session.ts signs in once: for later runs, new browsers, and another process', async () => {
    const total = "{ user: 'ada', open: '23,177.75 €' }"
    const lines = (await runExample('persistent-session.ts')).trim().split('\n')
    expect(lines.map((line) => line.trim().replace(/\d+(?=: completed)/, 'PID'))).toEqual([
      'Signing in: completed',
      `The next run on the session: completed ${total}`,
      `A new browser: completed ${total}`,
      `Process PID: completed ${total}`,
    ])
  })

  it('debug-session.ts edits one block and runs it alone, on the page that is open, with the outputs of the others', async () => {
    const lines = (await runExample('debug-session.ts')).split('\n').map((line) => line.trimEnd())
    expect(lines.slice(0, 3)).toEqual(['sign_in: completed', 'totals: completed {"open":"23,177.75 €","who":"ada"}', 'form: completed'])
    expect(lines[3]).toMatch(/^fill: failed .*css "#title" matched nothing/)
    expect(lines.slice(4)).toEqual([
      'fill: completed',
      'check: completed {"name":"ada: 23,177.75 €"}',
      'Kept outputs: sign_in, totals, form, fill, check',
      '  check    completed',
      '  fill     completed',
      '  fill     failed',
      '  form     completed',
      '  totals   completed',
      '  sign_in  completed',
      '',
    ])
  })

  it('guardrails.ts lets nothing out, and says why', async () => {
    const printed = await runExample('guardrails.ts')
    expect(printed).toContain('Inside: completed, 23,177.75 €\n')
    expect(printed).toContain('  request blocked: tracker.example.net:80 (host)\n')
    expect(printed).toContain('  request blocked: shop.example.net:80 (host)\n')
    for (const [what, why] of [
      ['Another host', 'shop.example.net is not among the allowed domains (127.0.0.1)'],
      ['A name that looks alike', '127.0.0.1.example.net is not among the allowed domains (127.0.0.1)'],
      ['A file of this machine', 'file: addresses are not opened'],
      ['The advertisement', 'shop.example.net is not among the allowed domains (127.0.0.1)'],
      ['A blinded button', 'it is behind a blinder'],
      ['A click that the guardrail minds', 'exports are made by people'],
    ] as const)
      expect(printed.split('\n').find((line) => line.startsWith(`${what}: blocked, `))).toContain(why)
    expect(printed).toMatch(/Still inside: completed\n$/)
  })
})
