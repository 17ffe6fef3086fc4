import { setTimeout as sleep } from 'node:timers/promises'

export interface RateParams {
  /** How many of these run at a time. */
  readonly clients: number
  readonly ms: number
  /** Does the work once. `client` counts from 0. */
  readonly work: (client: number) => Promise<unknown>
}

/** How many times a second the work is done by `clients` at once. */
export async function rate({ clients, ms, work }: RateParams): Promise<number> {
  let done = 0
  const startedAt = performance.now()
  const endsAt = startedAt + ms
  const loop = async (client: number) => {
    while (performance.now() < endsAt) {
      await work(client)
      done++
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, client) => loop(client)))
  return (done * 1_000) / (performance.now() - startedAt)
}

/**
 * Measures several things in turns (A B A B …, every other round B A), so that a slow moment of the machine hits them alike. A first
 * round warms up and does not count.
 * @returns by name, what each round gave
 */
export async function interleave<N extends string>(
  rounds: number,
  sides: Readonly<Record<N, () => Promise<number>>>,
): Promise<Record<N, number[]>> {
  const names = Object.keys(sides) as N[]
  const results = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<N, number[]>
  for (let round = 0; round <= rounds; round++) {
    for (const name of round % 2 === 0 ? names : [...names].reverse()) {
      const value = await sides[name]()
      if (round > 0) results[name].push(value)
      await sleep(5) // what the last one left to do is not the next one's
    }
  }
  return results
}
