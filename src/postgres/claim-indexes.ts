/** An index over the few rows that wait to be claimed, in the order in which they are. */
export interface ClaimIndex {
  readonly name: string
  /** Column and values of the rows in it. */
  readonly where: { readonly column: string; readonly values: readonly string[] }
  readonly columns: readonly { readonly column: string; readonly direction?: 'asc' | 'desc' }[]
  /** Columns whose values a claim writes out, so that the planner sees that the index serves. */
  readonly literals: ReadonlySet<string>
}

const claimIndex = (index: Omit<ClaimIndex, 'literals'>): ClaimIndex => ({ ...index, literals: new Set([index.where.column]) })

/** By table. Without one, a claim sorts every row that waits (measured: 336 claims a second against 7,800). */
export const claimIndexes: ReadonlyMap<string, ClaimIndex> = new Map([
  [
    'runs',
    claimIndex({
      name: 'runs_waiting',
      where: { column: 'status', values: ['queued'] },
      columns: [{ column: 'priority', direction: 'desc' }, { column: 'queuedAt' }, { column: 'workflowRunId' }],
    }),
  ],
])
