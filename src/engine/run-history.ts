import type { BlockDefinition } from '../definition/index.js'
import type { RunBlockRow, Storage } from '../storage/index.js'

/** The attempts at one block, in one place of the walk, in order. */
export type BlockVisit = readonly RunBlockRow[]

/** Where a block stands in the walk. */
export interface VisitPlace {
  readonly parentRunBlockId: string | null
  readonly currentIndex: number | null
  readonly label: string
}

export interface RunHistoryOptions {
  /** In order of start. */
  readonly rows: readonly RunBlockRow[]
  /** By label. */
  readonly blocks: ReadonlyMap<string, BlockDefinition>
}

/** The code of attempts that were interrupted as their host was lost: they count against no retries. */
export const HOST_LOST = 'HOST_LOST'

/** What earlier executions of a run have left: the rows of its block attempts, as its walk comes by them again. Pure. */
export class RunHistory {
  readonly rows: readonly RunBlockRow[]
  /** Those that the walk has not come by yet. */
  readonly #visits = new Map<string, RunBlockRow[][]>()
  readonly #all: readonly BlockVisit[]
  readonly #children = new Map<string | null, RunBlockRow[]>()
  readonly #options: RunHistoryOptions

  constructor(options: RunHistoryOptions) {
    this.#options = options
    this.rows = options.rows
    for (const row of options.rows) {
      add(this.#children, row.parentRunBlockId, row)
      const key = keyOf(row)
      const visits = this.#visits.get(key) ?? []
      if (visits.length === 0 || row.attempt === 1) visits.push([])
      visits.at(-1)?.push(row)
      this.#visits.set(key, visits)
    }
    this.#all = [...this.#visits.values()].flat()
  }

  /** Attempts that were still under way. */
  get open(): readonly RunBlockRow[] {
    return this.rows.filter(({ status }) => status === 'running')
  }

  /**
   * Attempts that ended without being made again, in the order in which they ended: children before their loop. `goesOn` tells of a block
   * whether it will be run, so that what failed with a retry left is made again.
   */
  ended(goesOn: (label: string) => boolean = () => false): readonly RunBlockRow[] {
    const retried = new Set(this.#all.flatMap((visit) => this.#retriedOf(visit, goesOn)))
    const inOrder = (parent: string | null): RunBlockRow[] =>
      (this.#children.get(parent) ?? []).flatMap((row) => [...inOrder(row.runBlockId), row])
    return inOrder(null).filter((row) => row.status !== 'running' && !retried.has(row))
  }

  /** The attempts that were made when the walk came here first; empty: it never did. Each visit is given once. */
  take(place: VisitPlace): BlockVisit {
    return this.#visits.get(keyOf(place))?.shift() ?? []
  }

  /** The rows of a loop's last iteration, in order. */
  lastIteration({ runBlockId }: Pick<RunBlockRow, 'runBlockId'>): readonly RunBlockRow[] {
    const children = this.#children.get(runBlockId) ?? []
    const last = Math.max(...children.map(({ currentIndex }) => currentIndex ?? -1))
    return children.filter(({ currentIndex }) => (currentIndex ?? -1) === last)
  }

  #retriedOf(visit: BlockVisit, goesOn: (label: string) => boolean): readonly RunBlockRow[] {
    const label = visit[0]?.label ?? ''
    const block = this.#options.blocks.get(label)
    const isLastRetried = goesOn(label) && !isSettled(visit, block?.maxRetries ?? 0)
    return isLastRetried ? visit : visit.slice(0, -1)
  }
}

/** No earlier execution. */
export const emptyHistory = (): RunHistory => new RunHistory({ rows: [], blocks: new Map() })

/** How many of the attempts count against the retries. */
export const countedAttempts = (visit: BlockVisit): number => visit.filter(({ errorCode }) => errorCode !== HOST_LOST).length

/** Whether the last attempt ended for good: nothing is made again. */
export function isSettled(visit: BlockVisit, maxRetries: number): boolean {
  const last = visit.at(-1)
  if (last === undefined || last.status === 'running') return false
  if (last.status !== 'failed' && last.status !== 'terminated') return true
  return last.errorCode !== HOST_LOST && countedAttempts(visit) > maxRetries
}

/** Rows of one page. */
const PAGE_SIZE = 10_000

/** The rows of a run's block attempts, all of them, in order of start. */
export async function loadBlockRows(storage: Storage, workflowRunId: string): Promise<RunBlockRow[]> {
  const rows: RunBlockRow[] = []
  for (;;) {
    const after = rows.at(-1)?.runBlockId
    const page = await storage.find({
      table: 'run_blocks',
      where: { workflowRunId },
      orderBy: [{ column: 'sequence' }],
      limit: PAGE_SIZE,
      ...(after === undefined ? {} : { after }),
    })
    rows.push(...page)
    if (page.length < PAGE_SIZE) return rows
  }
}

const keyOf = ({ parentRunBlockId, currentIndex, label }: VisitPlace) => `${parentRunBlockId ?? ''}/${currentIndex ?? ''}/${label}`

function add<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}
