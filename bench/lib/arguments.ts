import { parseArgs } from 'node:util'

export interface BenchArguments {
  /** In the order in which they run. */
  readonly areas: readonly string[]
  readonly isAll: boolean
  readonly json: boolean
  readonly runs: number
  /** Scaled down: shows that everything runs, and not what it costs. */
  readonly quick: boolean
  /** Where the raw samples go. */
  readonly samples?: string | undefined
  /** Write the areas' sections of docs/benchmarks.md. */
  readonly report: boolean
}

export type ParsedBenchArguments =
  | { readonly ok: true; readonly arguments: BenchArguments }
  | { readonly ok: false; readonly message: string }

const DEFAULT_RUNS = 3

export function usage(areas: readonly string[]): string {
  return [
    'npm run bench -- <area> [--json] [--runs N] [--quick] [--samples FILE] [--report]',
    `areas: ${[...areas, 'all'].join(', ')}`,
  ].join('\n')
}

/** Reads the command line; `areas` are the known ones. */
export function parseBenchArguments(argv: readonly string[], areas: readonly string[]): ParsedBenchArguments {
  const refuse = (message: string) => ({ ok: false, message: `${message}\n${usage(areas)}` }) as const
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        report: { type: 'boolean', default: false },
        runs: { type: 'string' },
        samples: { type: 'string' },
      },
    })
    const [area, ...others] = positionals
    if (area === undefined) return refuse('Which area?')
    if (others.length > 0) return refuse(`One area at a time, or all; not also ${others.join(', ')}`)
    if (area !== 'all' && !areas.includes(area)) return refuse(`No area "${area}"`)
    const runs = Number(values.runs ?? (values.quick ? 1 : DEFAULT_RUNS))
    if (!Number.isSafeInteger(runs) || runs < 1) return refuse(`--runs must be a whole number of 1 or more, not "${values.runs}"`)
    const { json, quick, report, samples } = values
    const isAll = area === 'all'
    return { ok: true, arguments: { areas: isAll ? areas : [area], isAll, json, runs, quick, report, samples } }
  } catch (error) {
    return refuse((error as Error).message)
  }
}
