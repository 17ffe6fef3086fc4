import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { judgeAnswer, LONGEST_WAIT_MS } from '../../src/engine/webhooks/retry-policy.js'
import { WEBHOOK_HEADERS } from '../../src/engine/webhooks/signature.js'
import { WEBHOOK_LOOK_INTERVAL_MS } from '../../src/engine/webhooks/webhook-deliverer.js'
import { webhookOptionsSchema } from '../../src/engine/webhooks/webhook-options.js'
import { MemoryStorage, WorkflowEngine } from '../../src/index.js'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const page = read('docs/webhooks.md')
const codesOf = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)
/** The rows of the first table behind a text. */
const rowsAfter = (mark: string) => {
  expect(page.split(mark), mark).toHaveLength(2)
  const [, table = ''] = /\n((?:\|.*\|\n)+)/.exec(page.split(mark)[1] ?? '') ?? []
  return [...table.matchAll(/^\|(.*)\|$/gm)].slice(2).map(([, row = '']) => row.split('|').map((cell) => cell.trim()))
}

describe('docs/webhooks.md', () => {
  it('tells every option with its default', () => {
    const parsed = webhookOptionsSchema.parse({}) as Readonly<Record<string, unknown>>
    const rows = rowsAfter('<!-- options of webhookOptionsSchema -->')
    expect(rows.map(([option]) => codesOf(option)[0])).toEqual(Object.keys(webhookOptionsSchema.shape))
    for (const [option, byDefault = ''] of rows) {
      const value = parsed[codesOf(option)[0] ?? '']
      expect(codesOf(byDefault)[0] ?? byDefault, option).toBe(value === undefined ? 'none' : String(value))
    }
  })

  it('names the headers of a delivery, and no others', () => {
    const names = rowsAfter('## What is sent').map(([header]) => codesOf(header)[0])
    expect(names).toEqual(['content-type', 'user-agent', ...Object.values(WEBHOOK_HEADERS)])
  })

  it('tells what follows from each answer as the policy has it', () => {
    const follows = (status: number) => {
      const outcome = judgeAnswer({ statusCode: status, retryAfter: null }, new Date(0))
      if (outcome.kind === 'delivered') return 'Delivered'
      return outcome.isFinal ? 'Given up' : 'Another attempt'
    }
    const rows = rowsAfter('## Answers')
    const told = (status: number) => {
      const isIn = (cell: string) => cell.split(', ').some((each) => each === String(status) || each === `${Math.floor(status / 100)}xx`)
      return (rows.find(([answer = '']) => isIn(answer)) ?? rows.find(([answer]) => answer === 'Any other'))?.[1]
    }
    for (let status = 200; status < 600; status++) expect(told(status), String(status)).toContain(follows(status))
  })

  it('tells the reasons of a refusal', () => {
    const [, union = ''] = /type WebhookVerificationFailure =(.*)/.exec(read('src/errors/run-errors.ts')) ?? []
    const reasons = [...union.matchAll(/'(\w+)'/g)].map(([, reason]) => reason)
    expect(reasons.length).toBe(5)
    expect(
      rowsAfter('whose `details.reason` says why:')
        .map(([reason]) => codesOf(reason)[0])
        .toSorted(),
    ).toEqual(reasons.toSorted())
  })

  it('names the times', () => {
    expect(page).toContain(`every ${WEBHOOK_LOOK_INTERVAL_MS / 1_000} s`)
    expect(page).toContain(`${LONGEST_WAIT_MS / 1_000} s at most`)
  })

  it('names the instruments, with their kinds', () => {
    const made: string[][] = []
    const make = (kind: string) => (name: string) => {
      made.push([name, kind])
      return { addCallback() {}, removeCallback() {}, record() {}, add() {} }
    }
    const meter = { createObservableGauge: make('gauge'), createHistogram: make('histogram'), createCounter: make('counter') }
    new WorkflowEngine({ storage: new MemoryStorage(), meter })
    const told = rowsAfter('`meter` takes an OpenTelemetry').map(([name, kind]) => [codesOf(name)[0], kind])
    expect(told.toSorted()).toEqual(made.toSorted())
  })
})
