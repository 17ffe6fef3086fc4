/** What a figure should reach. */
export interface Target {
  readonly op: '>=' | '<='
  /** A number, or one that follows from another figure of the same runs. */
  readonly value: number | ((figures: Readonly<Record<string, number>>) => number)
}

export interface EvaluatedTarget {
  readonly op: Target['op']
  readonly value: number
  readonly met: boolean
}

/** Compares figures with their targets. A figure that is not there, or not a number, misses its target. */
export function evaluateTargets(
  targets: Readonly<Record<string, Target>>,
  figures: Readonly<Record<string, number>>,
): Record<string, EvaluatedTarget> {
  const evaluate = (name: string, { op, value: wanted }: Target): EvaluatedTarget => {
    const value = typeof wanted === 'number' ? wanted : wanted(figures)
    const figure = figures[name] ?? Number.NaN
    return { op, value, met: op === '>=' ? figure >= value : figure <= value }
  }
  return Object.fromEntries(Object.entries(targets).map(([name, target]) => [name, evaluate(name, target)]))
}
