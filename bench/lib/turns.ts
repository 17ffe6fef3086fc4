import { setTimeout as sleep } from 'node:timers/promises'
import { median } from './statistics.js'

/**
 * Times several things in turns (A B C, then B C A …), once a turn each; the first turns warm up and do not count.
 * @returns by name, how long each took, in milliseconds, in the order of the turns
 */
export async function takeTurns<N extends string>(
  turns: number,
  sides: Readonly<Record<N, () => Promise<number>>>,
): Promise<Record<N, number[]>> {
  const names = Object.keys(sides) as N[]
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<N, number[]>
  for (let turn = -Math.ceil(turns / 10); turn < turns; turn++) {
    const first = ((turn % names.length) + names.length) % names.length
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      const ms = await sides[name]()
      if (turn >= 0) times[name].push(ms)
      await sleep(1) // timers get their turn, also where everything that is measured is done in memory
    }
  }
  return times
}

/** Median of `one[i] - other[i]`: what was measured side by side is compared side by side. */
export function medianDifference(one: readonly number[], other: readonly number[]): number {
  return median(one.map((value, index) => value - (other[index] ?? Number.NaN)))
}
