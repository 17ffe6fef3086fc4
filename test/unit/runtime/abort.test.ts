import { expect, test } from 'vitest'
import { forkAbort, withDeadline, withLazyDeadline } from '../../../src/runtime/index.js'
import { FakeClock } from '../../../src/testing/index.js'

const never = () => new Promise<never>(() => {})

test('a fork aborts with its parent and keeps its reason; disposed, it no longer does', () => {
  const parent = new AbortController()
  const fork = forkAbort(undefined, parent.signal)
  const disposed = forkAbort(parent.signal)
  disposed.dispose()
  parent.abort('why')
  expect(fork.signal.reason).toBe('why')
  expect(disposed.signal.aborted).toBe(false)
  expect(forkAbort(parent.signal).signal.reason).toBe('why')
})

test('a signal that is read after the abort is aborted with its reason', () => {
  const fork = forkAbort()
  const { abort } = fork // may be handed on alone
  abort('first')
  fork.abort('second')
  expect(fork.signal.reason).toBe('first')
})

test('work that hangs is rejected at its deadline, with the signal that it was given, and leaves no timer', async () => {
  const clock = new FakeClock()
  const seen: AbortSignal[] = []
  const late = new Error('late')
  const run = (signal: AbortSignal) => {
    seen.push(signal)
    return never()
  }
  const outcome = expect(withDeadline({ run, timeoutMs: 100, onTimeout: () => late, clock })).rejects.toBe(late)
  await clock.advance(100)
  await outcome
  expect(seen[0]?.reason).toBe(late)
  expect(clock.pendingTimers).toBe(0)
})

test('an abort of the caller ends the wait at once, and takes the timer back', async () => {
  const clock = new FakeClock()
  const caller = new AbortController()
  const params = { timeoutMs: 100, onTimeout: () => new Error('late'), clock, signal: caller.signal }
  let signal: AbortSignal | undefined
  const outcome = withLazyDeadline({
    ...params,
    run: (bound) => {
      signal = bound.signal
      return never()
    },
  })
  caller.abort('enough')
  await expect(outcome).rejects.toBe('enough')
  expect(signal?.reason).toBe('enough')
  expect(clock.pendingTimers).toBe(0)
  await expect(withLazyDeadline({ ...params, run: never })).rejects.toBe('enough')
  expect(clock.pendingTimers).toBe(0)
})

test('work that ends in time gives its value or its error, and leaves no timer', async () => {
  const clock = new FakeClock()
  const params = { timeoutMs: 100, onTimeout: () => new Error('late'), clock }
  await expect(withLazyDeadline({ ...params, run: async () => 7 })).resolves.toBe(7)
  const failure = new Error('failed')
  await expect(withDeadline({ ...params, run: () => Promise.reject(failure) })).rejects.toBe(failure)
  const thrown = () => {
    throw failure
  }
  await expect(withDeadline({ ...params, run: thrown })).rejects.toBe(failure)
  expect(clock.pendingTimers).toBe(0)
})
