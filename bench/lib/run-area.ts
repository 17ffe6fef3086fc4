import type { Area, AreaResult, BenchContext, Machine } from './area.js'
import type { Progress } from './progress.js'
import { Shared } from './shared.js'
import { medians } from './statistics.js'
import { evaluateTargets } from './targets.js'

export interface RunAreaParams {
  readonly area: Area
  readonly machine: Machine
  readonly runs: number
  readonly quick: boolean
  readonly progress: Progress
}

/** Raw samples of one run, by name. */
export type RunSamples = Record<string, readonly number[]>

/** Measures an area `runs` times and takes the medians. */
export async function runArea(params: RunAreaParams): Promise<{ result: AreaResult; samples: readonly RunSamples[] }> {
  const { area, machine, runs, quick, progress } = params
  const shared = new Shared()
  const figures: Readonly<Record<string, number>>[] = []
  const details: Readonly<Record<string, number>>[] = []
  const samples: RunSamples[] = []
  const notes = new Set<string>()
  try {
    for (let run = 1; run <= runs; run++) {
      const kept: RunSamples = {}
      samples.push(kept)
      const context: BenchContext = {
        isQuick: quick,
        progress: (text) => progress.show(`${area.name} ${run}/${runs}: ${text}`),
        sample: (name, values) => {
          kept[name] = values
        },
        note: (text) => notes.add(text),
        share: (key, open) => shared.get(key, open),
      }
      const measured = await area.measure(context)
      figures.push(measured.figures)
      details.push(measured.details ?? {})
    }
  } finally {
    progress.clear()
    await shared.close()
  }
  const middle = medians(figures)
  const targets = evaluateTargets(area.targets, middle)
  const result = { area: area.name, machine, figures: middle, details: medians(details), targets, runs, quick, notes: [...notes] }
  return { result, samples }
}
