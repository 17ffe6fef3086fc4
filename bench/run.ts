import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Area, AreaResult } from './lib/area.js'
import { type BenchArguments, parseBenchArguments } from './lib/arguments.js'
import { buildIfStale, installOnFirstUse } from './lib/install.js'
import { thisMachine } from './lib/machine.js'
import { Progress } from './lib/progress.js'
import { markdownSection, withSection } from './lib/report.js'
import { type RunSamples, runArea } from './lib/run-area.js'
import { figureRows, formatTable } from './lib/table.js'

const reportPath = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url))

async function main(request: BenchArguments): Promise<void> {
  installOnFirstUse()
  buildIfStale()
  const machine = thisMachine()
  const { runs, quick, json, isAll } = request
  const results: AreaResult[] = []
  const samples: Record<string, readonly RunSamples[]> = {}
  for (const name of request.areas) {
    const { area } = (await import(`./areas/${name}.ts`)) as { area: Area }
    const measured = await runArea({ area, machine, runs, quick, progress: new Progress() })
    results.push(measured.result)
    samples[name] = measured.samples
    print(measured.result)
    if (request.report) report(measured.result, area.describe)
  }
  if (request.samples !== undefined) writeFileSync(request.samples, `${JSON.stringify({ machine, samples }, undefined, 1)}\n`)
  if (json) process.stdout.write(`${JSON.stringify(isAll ? { area: 'all', machine, runs, quick, areas: results } : results[0])}\n`)
}

function print({ area, machine, figures, details, targets, runs, quick, notes }: AreaResult): void {
  const facts = [`${machine.cpu}, ${machine.cores} cores, load ${machine.load}`, `Node ${machine.node}`, ...notes]
  const title = `${area}: median of ${runs} run${runs === 1 ? '' : 's'}${quick ? ', scaled down' : ''} (${facts.join('; ')})`
  const rows = [...figureRows(figures, targets), ...figureRows(details, {})]
  process.stdout.write(`${title}\n\n${formatTable(rows)}\n\n`)
}

function report(result: AreaResult, describe: string): void {
  writeFileSync(reportPath, withSection(readFileSync(reportPath, 'utf8'), result.area, markdownSection(result, describe)))
}

const known = readdirSync(new URL('./areas/', import.meta.url))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -'.ts'.length))
  .sort()
const parsed = parseBenchArguments(process.argv.slice(2), known)
if (parsed.ok) {
  await main(parsed.arguments).catch((error: unknown) => {
    process.stderr.write(`Could not measure: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    process.exitCode = 1
  })
} else {
  process.stderr.write(`${parsed.message}\n`)
  process.exitCode = 2
}
