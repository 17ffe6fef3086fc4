import type { AreaResult } from './area.js'
import { type FigureRow, figureRows } from './table.js'

/** What one area measured, as a section of docs/benchmarks.md. */
export function markdownSection(result: AreaResult, describe: string): string {
  const { machine, runs, figures, details, targets, notes } = result
  const of = `Median of ${runs} run${runs === 1 ? '' : 's'}; ${machine.cpu}, ${machine.cores} cores, load ${machine.load}, Node ${machine.node}`
  const line = ({ figure, value, target, verdict }: FigureRow) => `| \`${figure}\` | ${value} | ${target} | ${verdict} |`
  return [
    `## ${result.area}`,
    describe,
    `${[of, ...notes].join('; ')}.`,
    [
      '| figure | value | target | |',
      '| --- | ---: | ---: | --- |',
      ...figureRows(figures, targets).map(line),
      ...figureRows(details, {}).map(line),
    ].join('\n'),
  ].join('\n\n')
}

/** Puts a section between its markers, or at the end of a page that has none for it yet. */
export function withSection(page: string, area: string, section: string): string {
  const [begin, end] = [`<!-- bench ${area} -->`, `<!-- /bench ${area} -->`]
  const block = `${begin}\n\n${section}\n\n${end}`
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from < 0 || to < from) return `${page.trimEnd()}\n\n${block}\n`
  return page.slice(0, from) + block + page.slice(to + end.length)
}
