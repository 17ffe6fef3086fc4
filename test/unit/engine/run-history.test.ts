import { describe, expect, it } from 'vitest'
import { elapsedLimitAt } from '../../../src/engine/elapsed-limit.js'
import { countedAttempts, isSettled, RunHistory } from '../../../src/engine/run-history.js'
import { fromPending, outcomes, toPending } from '../../../src/engine/run-outcome.js'
import { planRun, type RunPlanParams } from '../../../src/engine/run-plan.js'
import type { RunBlockRow } from '../../../src/storage/index.js'

let sequence = 0
const row = (label: string, more: Partial<RunBlockRow> = {}): RunBlockRow => ({
  ...{ runBlockId: `rb_${++sequence}`, organizationId: 'acme', workflowRunId: 'wr_1', parentRunBlockId: null, label, type: 'code' },
  ...{ status: 'completed', attempt: 1, sequence, currentIndex: null, currentValue: null, output: null, failureReason: null },
  ...{ errorCode: null, branch: null, taskId: null, intent: null, startedAt: new Date(0), finishedAt: null, durationMs: null },
  ...more,
})
const failedRow = (label: string, attempt: number, errorCode: string | null = 'X') => row(label, { status: 'failed', attempt, errorCode })
const history = (rows: RunBlockRow[], maxRetries: Record<string, number> = {}) =>
  new RunHistory({
    rows,
    blocks: new Map(Object.entries(maxRetries).map(([label, retries]) => [label, { label, maxRetries: retries } as never])),
  })
const labels = (rows: readonly RunBlockRow[]) => rows.map(({ label, attempt }) => `${label}#${attempt}`)

describe('what earlier executions have left', () => {
  it('is found by place, one visit after the other', () => {
    const loop = row('loop')
    const inner = { parentRunBlockId: loop.runBlockId }
    const rows = [
      failedRow('a', 1),
      row('a', { attempt: 2 }),
      loop,
      row('x', { ...inner, currentIndex: 0 }),
      row('x', { ...inner, currentIndex: 1 }),
      row('a'),
    ]
    const past = history(rows)
    const top = { parentRunBlockId: null, currentIndex: null, label: 'a' }
    expect(labels(past.take(top))).toEqual(['a#1', 'a#2'])
    expect(labels(past.take(top))).toEqual(['a#1'])
    expect(past.take(top)).toEqual([])
    expect(past.take({ ...inner, currentIndex: 1, label: 'x' })).toEqual([rows[4]])
    expect(past.lastIteration(loop)).toEqual([rows[4]])
    expect(past.lastIteration(rows[5] as RunBlockRow)).toEqual([])
  })

  it('counts what ended for good, children before their loop, and no attempt that was made again', () => {
    const loop = row('loop')
    const inner = { parentRunBlockId: loop.runBlockId, currentIndex: 0 }
    const rows = [failedRow('a', 1), failedRow('a', 2, 'HOST_LOST'), row('a', { attempt: 3 }), loop, row('x', inner), failedRow('b', 1)]
    expect(labels(history(rows, { a: 5, b: 1 }).ended(() => true))).toEqual(['a#3', 'x#1', 'loop#1'])
    expect(labels(history(rows, { a: 5, b: 1 }).ended())).toEqual(['a#3', 'x#1', 'loop#1', 'b#1'])
    expect(labels(history(rows, { a: 5, b: 0 }).ended(() => true))).toEqual(['a#3', 'x#1', 'loop#1', 'b#1'])
    expect(labels(history([...rows, row('c', { status: 'running' })]).open)).toEqual(['c#1'])
  })

  it('is settled when nothing follows: an attempt that was interrupted counts against no retries', () => {
    expect(isSettled([], 0)).toBe(false)
    expect(isSettled([row('a', { status: 'running' })], 0)).toBe(false)
    expect(isSettled([row('a')], 3)).toBe(true)
    for (const status of ['canceled', 'timed_out'] as const) expect(isSettled([row('a', { status })], 3)).toBe(true)
    expect(isSettled([failedRow('a', 1)], 0)).toBe(true)
    expect(isSettled([failedRow('a', 1)], 1)).toBe(false)
    expect(isSettled([failedRow('a', 1, 'HOST_LOST')], 0)).toBe(false)
    const visit = [failedRow('a', 1), failedRow('a', 2, 'HOST_LOST'), failedRow('a', 3)]
    expect(countedAttempts(visit)).toBe(2)
    expect([isSettled(visit, 1), isSettled(visit, 2)]).toEqual([true, false])
  })
})

describe('the plan for a run that was claimed', () => {
  const plan = (params: Partial<Omit<RunPlanParams, 'run'>> & { run?: Partial<RunPlanParams['run']> } = {}) =>
    planRun({
      ...{ kind: 'takeOver', onHostLost: 'resume', history: history([]), finallyLabel: 'last', ...params },
      run: { cancelRequestedAt: null, cancelRequestedBy: null, pendingOutcome: null, takeovers: 1, leaseFence: 2, ...params.run },
    })
  const told = (result: ReturnType<typeof plan>) =>
    result.kind === 'walk' ? 'walk' : `${result.outcome.status} ${result.outcome.errorCode}${result.runsFinally ? ', finally' : ''}`
  const pendingOutcome = toPending(outcomes.terminated('enough', 'ENOUGH'))
  const cancelRequestedAt = new Date(1)

  it.each([
    ['walks what begins', { kind: 'start', onHostLost: 'fail' }, 'walk'],
    ['walks on when a pause was decided, whatever is said of lost hosts', { kind: 'resume', onHostLost: 'fail' }, 'walk'],
    ['walks on after a loss, where that is wanted', {}, 'walk'],
    ['walks on where a host stopped', { kind: 'handOver' }, 'walk'],
    ['fails what is not to go on', { onHostLost: 'fail' }, 'failed HOST_LOST, finally'],
    ['fails it after a stop, too', { kind: 'handOver', onHostLost: 'fail' }, 'failed HOST_LOST, finally'],
    ['cancels first of all', { run: { cancelRequestedAt, pendingOutcome, takeovers: 9 } }, 'canceled RUN_CANCELED'],
    ['cancels what was paused', { kind: 'end', run: { cancelRequestedAt } }, 'canceled RUN_CANCELED'],
    ['finishes what was decided', { onHostLost: 'fail', run: { pendingOutcome } }, 'terminated ENOUGH, finally'],
    ['goes on thrice', { run: { takeovers: 3 } }, 'walk'],
    ['goes on no fourth time', { run: { takeovers: 4 } }, 'failed CRASH_LOOP'],
    ['runs no finally block that hosts die of', { run: { takeovers: 4, pendingOutcome } }, 'terminated ENOUGH'],
    [
      'knows what must not be done twice',
      { history: history([row('pay', { status: 'running', intent: { description: 'click' } })]) },
      'failed OUTCOME_UNKNOWN, finally',
    ],
    [
      'leaves the finally block to the walk',
      { history: history([row('last', { status: 'running', intent: { description: 'click' } })]) },
      'walk',
    ],
    [
      'has no finally block after a set-up that failed',
      { run: { pendingOutcome: toPending(outcomes.setupFailed('no', 'NO')) } },
      'failed NO',
    ],
  ] as const)('%s', (_, params, expected) => {
    expect(told(plan(params as never))).toBe(expected)
  })

  it('keeps every outcome over the row', () => {
    for (const outcome of [
      outcomes.completed(),
      outcomes.failed('a', null),
      outcomes.terminated('b', 'B'),
      outcomes.canceled('ada'),
      outcomes.timedOut(5),
      outcomes.setupFailed('c', 'C'),
    ])
      expect(fromPending(toPending(outcome))).toEqual(outcome)
    expect(fromPending({ kind: 'odd' })).toBeNull()
  })
})

it('a run’s time is counted from its first start, without pauses unless they count', () => {
  const run = { startedAt: new Date(1_000), createdAt: new Date(0), pausedMs: 500 }
  const limits = { maxElapsedTimeMinutes: 1, pauseCounts: false }
  expect(elapsedLimitAt(run, limits).getTime()).toBe(61_500)
  expect(elapsedLimitAt(run, { ...limits, pauseCounts: true }).getTime()).toBe(61_000)
  expect(elapsedLimitAt({ ...run, startedAt: null }, { maxElapsedTimeMinutes: null, pauseCounts: true }).getTime()).toBe(240 * 60_000)
})
