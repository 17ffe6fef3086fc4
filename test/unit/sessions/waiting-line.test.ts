import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { WaitingLine } from '../../../src/sessions/waiting-line.js'

const any = () => true

/** Serves until nobody waits; names in the order of service. */
function drain(line: WaitingLine<string>, accepts: (name: string) => boolean = any): string[] {
  const served: string[] = []
  for (let entry = line.next(accepts); entry !== undefined; entry = line.next(accepts)) {
    line.serve(entry)
    line.leave(entry)
    served.push(entry.value)
  }
  return served
}

const join = (line: WaitingLine<string>, name: string, priority = 0) => line.join(name, { organizationId: name.slice(0, 1), priority })

describe('the waiting line', () => {
  it('serves one organisation in order', () => {
    const line = new WaitingLine<string>()
    for (const name of ['a1', 'a2', 'a3']) join(line, name)
    expect(drain(line)).toEqual(['a1', 'a2', 'a3'])
  })

  it('lets organisations take turns, however long the line of one is', () => {
    const line = new WaitingLine<string>()
    for (const name of ['a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'b2']) join(line, name)
    expect(drain(line)).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4'])
  })

  it('puts the higher priority first, and has turns within each', () => {
    const line = new WaitingLine<string>()
    join(line, 'a1')
    join(line, 'a2', 5)
    join(line, 'a3', 5)
    join(line, 'b1', 5)
    join(line, 'b2', -1)
    expect(drain(line)).toEqual(['a2', 'b1', 'a3', 'a1', 'b2'])
  })

  it('does not let newcomers push in: one that comes back each time waits for its turn', () => {
    const line = new WaitingLine<string>()
    for (const name of ['b1', 'b2', 'b3']) join(line, name)
    const served: string[] = []
    for (let round = 1; round <= 6; round += 1) {
      join(line, round % 2 === 0 ? `x${round}` : `y${round}`) // a new organisation each time
      const entry = line.next(any)
      if (entry === undefined) throw new Error('nobody waits')
      line.serve(entry)
      line.leave(entry)
      served.push(entry.value)
    }
    expect(served.filter((name) => name.startsWith('b')).length).toBeGreaterThanOrEqual(2)
  })

  it('skips who cannot be served now, and keeps his place', () => {
    const line = new WaitingLine<string>()
    for (const name of ['a1', 'a2', 'b1']) join(line, name)
    expect(line.next((name) => name !== 'a1')?.value).toBe('a2')
    expect(drain(line)).toEqual(['a1', 'b1', 'a2'])
  })

  it('takes back whoever got nothing at his old place, his turn included', () => {
    const line = new WaitingLine<string>()
    for (const name of ['a1', 'b1', 'a2']) join(line, name)
    const first = line.next(any)
    if (first === undefined) throw new Error('nobody waits')
    line.serve(first)
    expect([line.length, line.lengths()]).toEqual([2, { a: 1, b: 1 }])
    line.putBack(first)
    expect([line.length, line.position(first)]).toEqual([3, 1])
    expect(drain(line)).toEqual(['a1', 'b1', 'a2'])
    expect(line.isEmpty).toBe(true)
  })

  it('tells the place of each by priority and arrival', () => {
    const line = new WaitingLine<string>()
    const [low, high, last] = [join(line, 'a1'), join(line, 'b1', 1), join(line, 'a2')]
    expect([low, high, last].map((entry) => line.position(entry))).toEqual([2, 1, 3])
    line.leave(high)
    line.leave(high)
    expect([line.length, line.position(low)]).toEqual([2, 1])
  })

  it('serves everybody once, and nobody is passed by another of his own organisation and priority; among equals no organisation gets two turns while another waits for one', () => {
    const arrival = fc.record({ organization: fc.constantFrom('a', 'b', 'c'), priority: fc.integer({ min: 0, max: 1 }) })
    fc.assert(
      fc.property(fc.array(arrival, { maxLength: 40 }), (arrivals) => {
        const line = new WaitingLine<{ organization: string; priority: number; at: number }>()
        arrivals.forEach((one, at) => {
          line.join({ ...one, at }, { organizationId: one.organization, priority: one.priority })
        })
        const served: { organization: string; priority: number; at: number }[] = []
        const waits = (organization: string, priority: number) =>
          line.entries().some(({ value, isServed }) => !isServed && value.organization === organization && value.priority === priority)
        const turnsSince = new Map<string, Map<string, number>>()
        for (let entry = line.next(any); entry !== undefined; entry = line.next(any)) {
          line.serve(entry)
          line.leave(entry)
          const { organization, priority } = entry.value
          served.push(entry.value)
          turnsSince.set(`${organization}${priority}`, new Map())
          for (const other of ['a', 'b', 'c']) {
            const key = `${other}${priority}`
            if (other === organization) continue
            if (!waits(other, priority)) {
              turnsSince.delete(key)
              continue
            }
            const turns = turnsSince.get(key) ?? new Map<string, number>()
            turns.set(organization, (turns.get(organization) ?? 0) + 1)
            turnsSince.set(key, turns)
            // a turn at the higher priority counts as one: within one priority two in a row are never taken from who waits
            expect(turns.get(organization)).toBeLessThanOrEqual(2)
          }
        }
        expect(served).toHaveLength(arrivals.length)
        for (const [index, one] of served.entries()) {
          for (const later of served.slice(index + 1)) {
            expect(later.priority).toBeLessThanOrEqual(one.priority)
            if (later.organization === one.organization && later.priority === one.priority) expect(later.at).toBeGreaterThan(one.at)
          }
        }
      }),
    )
  })
})
