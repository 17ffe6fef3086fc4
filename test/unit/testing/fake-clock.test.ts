import { describe, expect, it } from 'vitest'
import { sleep } from '../../../src/runtime/index.js'
import { FakeClock, sequentialIds } from '../../../src/testing/index.js'

describe('FakeClock', () => {
  it('stands still until it is advanced', async () => {
    const clock = new FakeClock({ now: new Date(1_000) })
    expect([clock.now().getTime(), clock.monotonicMs()]).toEqual([1_000, 0])
    await clock.advance(250)
    expect([clock.now().getTime(), clock.monotonicMs()]).toEqual([1_250, 250])
  })

  it('fires timers in order of time, then of setting, each at its own time', async () => {
    const clock = new FakeClock()
    const fired: [string, number][] = []
    const set = (name: string, ms: number) => clock.setTimer(() => fired.push([name, clock.monotonicMs()]), ms)
    set('c', 30)
    set('a', 10)
    set('b', 10)
    set('late', 31)
    await clock.advance(30)
    expect(fired).toEqual([
      ['a', 10],
      ['b', 10],
      ['c', 30],
    ])
    expect([clock.pendingTimers, clock.nextTimerInMs]).toEqual([1, 1])
  })

  it('fires timers that timers set, when they are due within the same advance', async () => {
    const clock = new FakeClock()
    let ticks = 0
    const tick = () => {
      ticks++
      clock.setTimer(tick, 10)
    }
    clock.setTimer(tick, 10)
    await clock.advance(55)
    expect(ticks).toBe(5)
  })

  it('runs promise jobs between timers, however long the chain', async () => {
    const clock = new FakeClock()
    const order: string[] = []
    clock.setTimer(async () => {
      for (let turn = 0; turn < 100; turn++) await undefined
      order.push('job of first')
    }, 1)
    clock.setTimer(() => order.push('second'), 2)
    await clock.advance(2)
    expect(order).toEqual(['job of first', 'second'])
  })

  it('lets a loop of sleeps run', async () => {
    const clock = new FakeClock()
    let rounds = 0
    const loop = (async () => {
      for (; rounds < 3; rounds++) await sleep(clock, 1_000)
    })()
    await clock.advance(3_000)
    await loop
    expect([rounds, clock.pendingTimers]).toEqual([3, 0])
  })

  it('forgets cancelled timers; a timer of 0 ms waits for the next advance', async () => {
    const clock = new FakeClock()
    const fired: string[] = []
    const timer = clock.setTimer(() => fired.push('cancelled'), 0)
    clock.setTimer(() => fired.push('at once'), 0)
    timer.cancel()
    timer.cancel()
    expect(fired).toEqual([])
    await clock.advance(0)
    expect([fired, clock.pendingTimers]).toEqual([['at once'], 0])
  })

  it('can be skewed: the wall clock jumps, no time passes', async () => {
    const clock = new FakeClock({ now: new Date(10_000) })
    let hasFired = false
    clock.setTimer(() => {
      hasFired = true
    }, 1_000)
    clock.skew(3_600_000)
    await clock.advance(0)
    expect([clock.now().getTime(), clock.monotonicMs(), hasFired]).toEqual([3_610_000, 0, false])
  })
})

describe('sequentialIds', () => {
  it('counts from 1 for each prefix', () => {
    const ids = sequentialIds()
    expect([ids.next('wr'), ids.next('wr'), ids.next('bs')]).toEqual(['wr_1', 'wr_2', 'bs_1'])
    expect(sequentialIds().next('wr')).toBe('wr_1')
  })
})
