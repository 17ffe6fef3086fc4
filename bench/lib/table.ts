import type { EvaluatedTarget } from './targets.js'

/** A figure with about three digits that say something: 12,345 · 123 · 12.3 · 1.23 · 0.0123. */
export function formatNumber(value: number): string {
  const size = Math.abs(value)
  if (!Number.isFinite(value)) return '-'
  if (size >= 100) return Math.round(value).toLocaleString('en-US')
  return String(Number(value.toPrecision(3)))
}

export interface FigureRow {
  readonly figure: string
  readonly value: string
  /** Empty: none. */
  readonly target: string
  readonly verdict: 'ok' | 'miss' | ''
}

/** One line for each figure. */
export function figureRows(
  figures: Readonly<Record<string, number>>,
  targets: Readonly<Record<string, EvaluatedTarget>>,
): readonly FigureRow[] {
  return Object.entries(figures).map(([figure, value]) => {
    const target = targets[figure]
    return {
      figure,
      value: formatNumber(value),
      target: target === undefined ? '' : `${target.op} ${formatNumber(target.value)}`,
      verdict: target === undefined ? '' : target.met ? 'ok' : 'miss',
    }
  })
}

const header = { figure: 'figure', value: 'value', target: 'target', verdict: '' }

/** A table for the terminal: names to the left, numbers to the right. */
export function formatTable(rows: readonly FigureRow[]): string {
  const all = [header, ...rows]
  const width = (column: 'figure' | 'value' | 'target') => Math.max(...all.map((row) => row[column].length))
  const [figure, value, target] = [width('figure'), width('value'), width('target')]
  return all
    .map((row) => `${row.figure.padEnd(figure)}  ${row.value.padStart(value)}  ${row.target.padStart(target)}  ${row.verdict}`.trimEnd())
    .join('\n')
}
