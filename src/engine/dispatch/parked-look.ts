import type { LeaseRow, RunRow } from '../../storage/index.js'
import { isFinalStatus } from '../run-status.js'
import { lanesOf } from '../terminal-writes.js'
import { headOf } from './obstacles.js'
import { type UnparkOptions, unpark } from './unparking.js'

const PAGE_SIZE = 200

/**
 * Looks through the parked runs, a page at a time and round and round, for those whose reason is gone: their lane is free and they are
 * next in it, and what they depend on has ended. So a lane goes on whose last host died between the end of a run and the next.
 */
export class ParkedLook {
  readonly #options: UnparkOptions
  #after: string | undefined

  constructor(options: UnparkOptions) {
    this.#options = options
  }

  /** One page; gives whether more follow before it comes round. */
  async look(): Promise<boolean> {
    const { storage } = this.#options
    const page = await storage.find({
      table: 'runs',
      where: { status: 'queued', isParked: true },
      orderBy: [{ column: 'queuedAt' }],
      limit: PAGE_SIZE,
      ...(this.#after === undefined ? {} : { after: this.#after }),
    })
    this.#after = page.length < PAGE_SIZE ? undefined : page.at(-1)?.workflowRunId
    if (page.length === 0) return false
    for (const run of await this.#free(page)) await unpark(this.#options, run)
    return this.#after !== undefined
  }

  /** From the beginning, to the end. */
  async lookAtAll(): Promise<void> {
    this.#after = undefined
    while (await this.look());
  }

  async #free(page: readonly RunRow[]): Promise<RunRow[]> {
    const held = await this.#heldLanes(page)
    const open = await this.#openDependencies(page)
    const heads = new Map<string, RunRow | undefined>()
    const free: RunRow[] = []
    for (const run of page) {
      if (run.dependsOnWorkflowRunId !== null && open.has(run.dependsOnWorkflowRunId)) continue
      const lanes = lanesOf(run)
      if (lanes.some((lane) => held.has(lane))) continue
      if (await this.#isNext(run, lanes, heads)) free.push(run)
    }
    return free
  }

  async #isNext(run: RunRow, lanes: readonly string[], heads: Map<string, RunRow | undefined>): Promise<boolean> {
    for (const lane of lanes) {
      if (!heads.has(lane)) heads.set(lane, await headOf(this.#options.storage, lane))
      const head = heads.get(lane)
      if (head !== undefined && head.workflowRunId !== run.workflowRunId && head.dependsOnWorkflowRunId !== run.workflowRunId) return false
    }
    return true
  }

  async #heldLanes(page: readonly RunRow[]): Promise<ReadonlySet<string>> {
    const lanes = [...new Set(page.flatMap(lanesOf))]
    if (lanes.length === 0) return new Set()
    const rows: LeaseRow[] = await this.#options.storage.find({ table: 'leases', where: { leaseId: { in: lanes } }, limit: lanes.length })
    return new Set(rows.map(({ leaseId }) => leaseId))
  }

  /** Runs that have not ended. One that is gone has. */
  async #openDependencies(page: readonly RunRow[]): Promise<ReadonlySet<string>> {
    const ids = [...new Set(page.flatMap(({ dependsOnWorkflowRunId: id }) => (id === null ? [] : [id])))]
    if (ids.length === 0) return new Set()
    const rows = await this.#options.storage.find({ table: 'runs', where: { workflowRunId: { in: ids } }, limit: ids.length })
    return new Set(rows.flatMap(({ workflowRunId, status }) => (isFinalStatus(status) ? [] : [workflowRunId])))
  }
}
