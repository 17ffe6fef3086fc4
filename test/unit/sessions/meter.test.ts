import { describe, expect, it } from 'vitest'
import type { Meter, MeterAttributes, ObservableResult } from '../../../src/sessions/index.js'
import { RUN_1, startPool } from './kit.js'

type Point = readonly [number, MeterAttributes?]

/** A meter in the shape of OpenTelemetry's. */
class FakeMeter implements Meter {
  readonly callbacks = new Map<string, Set<(result: ObservableResult) => void>>()
  readonly recorded = new Map<string, Point[]>()

  createObservableGauge(name: string) {
    const callbacks = new Set<(result: ObservableResult) => void>()
    this.callbacks.set(name, callbacks)
    return {
      addCallback: (callback: (result: ObservableResult) => void) => void callbacks.add(callback),
      removeCallback: (callback: (result: ObservableResult) => void) => void callbacks.delete(callback),
    }
  }

  createHistogram(name: string) {
    return { record: (value: number, attributes?: MeterAttributes) => this.#record(name, value, attributes) }
  }

  createCounter(name: string) {
    return { add: (value: number, attributes?: MeterAttributes) => this.#record(name, value, attributes) }
  }

  /** What a gauge says now. */
  read(name: string): Point[] {
    const points: Point[] = []
    const observe = (value: number, attributes?: MeterAttributes) => points.push(attributes === undefined ? [value] : [value, attributes])
    for (const callback of this.callbacks.get(name) ?? []) callback({ observe })
    return points
  }

  #record(name: string, value: number, attributes?: MeterAttributes): void {
    this.recorded.set(name, [...(this.recorded.get(name) ?? []), attributes === undefined ? [value] : [value, attributes]])
  }
}

describe('a meter', () => {
  it('reads gauges off the state, and is told of launches, losses and what is reaped', async () => {
    const meter = new FakeMeter()
    const { pool, driver, clock } = await startPool({ meter, idleTimeoutMinutes: 1 })
    driver.scriptLaunch({ delayMs: 250 })
    const creating = pool.createOccupied({ runnable: RUN_1 })
    while (driver.pendingLaunches === 0) await new Promise((resolve) => setImmediate(resolve))
    expect(meter.read('runwright.sessions')).toContainEqual([1, { status: 'starting' }])
    await clock.advance(250)
    const lease = await creating
    await pool.create()
    expect(meter.read('runwright.sessions')).toEqual([
      [0, { status: 'starting' }],
      [2, { status: 'running' }],
      [0, { status: 'ending' }],
    ])
    expect(meter.read('runwright.sessions.held')).toEqual([[1]])
    expect(meter.recorded.get('runwright.sessions.launch.duration')).toEqual([[0.25], [0]])
    if (driver.handles[0] !== undefined) driver.handles[0].memoryBytes = 1_000
    await clock.advance(6_000)
    expect(meter.read('runwright.sessions.memory')).toEqual([[1_000, { browserSessionId: lease.browserSessionId }]])
    driver.handles[0]?.crash()
    await clock.advance(90_000)
    expect(meter.recorded.get('runwright.sessions.lost')).toEqual([[1]])
    expect(meter.recorded.get('runwright.sessions.reaped')).toEqual([[1, { reason: 'idle_ttl' }]])
    expect(meter.read('runwright.sessions')).toContainEqual([0, { status: 'running' }])
  })

  it('is told how long an acquire took', async () => {
    const meter = new FakeMeter()
    const { pool } = await startPool({ meter })
    await (await pool.acquire({ ...RUN_1 })).release()
    expect(meter.recorded.get('runwright.sessions.acquire.duration')).toEqual([[0]])
    expect([meter.read('runwright.sessions.waiting'), meter.read('runwright.sessions.warm')]).toEqual([[[0]], [[0]]])
  })

  it('hears nothing of a stopped pool, and again of one that is started anew', async () => {
    const meter = new FakeMeter()
    const { pool } = await startPool({ meter })
    await pool.stop()
    expect([...meter.callbacks.values()].map(({ size }) => size)).toEqual([0, 0, 0, 0, 0])
    await pool.start()
    expect(meter.read('runwright.sessions.held')).toEqual([[0]])
    await pool.create()
    expect(meter.recorded.get('runwright.sessions.launch.duration')).toHaveLength(1)
  })
})
