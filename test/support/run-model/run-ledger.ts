import type { AnyRow, CommitResult, StoredEvent, Write } from '../../../src/storage/index.js'
import type { BrowserSessionRow, LeaseRow, RunBlockRow, RunRow, TaskRow, WebhookDeliveryRow } from '../../../src/storage/schema.js'

/** The table of the contract, written down once more: the code’s own is what is tested. */
const NEXT: Readonly<Record<string, readonly string[]>> = {
  created: ['queued', 'failed', 'canceled'],
  queued: ['running', 'failed', 'canceled'],
  running: ['paused', 'completed', 'failed', 'terminated', 'canceled', 'timed_out'],
  paused: ['running', 'failed', 'canceled', 'timed_out'],
}
export const FINAL: readonly string[] = ['completed', 'failed', 'terminated', 'canceled', 'timed_out']
export const isFinal = ({ status }: { readonly status: string }): boolean => FINAL.includes(status)

/** What may change on a run’s row after its end. */
const AFTER_END: readonly string[] = ['webhookStatus', 'webhookFailureReason', 'hasDependents', 'modifiedAt']
const ONCE = ['queuedAt', 'startedAt', 'finishedAt'] as const
const MOST_TAKEOVERS = 4

/** Reads every commit, by itself, and notes what must not be. */
export class RunLedger {
  /** As the last commit left them. */
  readonly runs = new Map<string, RunRow>()
  readonly blocks = new Map<string, Map<string, RunBlockRow>>()
  readonly tasks = new Map<string, TaskRow>()
  readonly sessions = new Map<string, BrowserSessionRow>()
  readonly lanes = new Map<string, LeaseRow>()
  readonly deliveries = new Map<string, WebhookDeliveryRow>()
  readonly events = new Map<string, StoredEvent[]>()
  readonly violations: string[] = []
  #toCome: { left: number; readonly happens: () => void }[] = []

  violation(what: string): void {
    this.violations.push(what)
  }

  onCommit(batch: readonly Write[], result: CommitResult): void {
    if (!result.ok) return
    const changed: [RunRow | undefined, RunRow][] = []
    for (const [index, write] of batch.entries()) {
      for (const event of result.events[index] ?? []) this.#onEvent(event)
      if (write.op === 'delete' && write.table === 'leases') this.lanes.delete(write.id)
      if (!('table' in write)) continue
      for (const row of result.rows[index] ?? []) {
        if (write.table === 'runs') changed.push([this.runs.get((row as RunRow).workflowRunId), row as RunRow])
        this.#keep(write.table, row)
      }
    }
    for (const [before, row] of changed) this.#onRun(before, row)
    if (changed.length > 0) this.#count()
  }

  /** Has something happen with the n-th commit to a run from now, before its answer is heard. */
  after(commits: number, happens: () => void): void {
    this.#toCome.push({ left: commits, happens })
  }

  #count(): void {
    for (const one of this.#toCome) one.left -= 1
    const due = this.#toCome.filter(({ left }) => left <= 0)
    this.#toCome = this.#toCome.filter(({ left }) => left > 0)
    for (const { happens } of due) happens()
  }

  /** What has not happened by now does not. */
  forget(): void {
    this.#toCome = []
  }

  /** Runs that have not ended. */
  get open(): readonly RunRow[] {
    return [...this.runs.values()].filter((run) => !isFinal(run))
  }

  blocksOf(workflowRunId: string): readonly RunBlockRow[] {
    return [...(this.blocks.get(workflowRunId)?.values() ?? [])]
  }

  eventsOf(workflowRunId: string): readonly StoredEvent[] {
    return this.events.get(`run:${workflowRunId}`) ?? []
  }

  #keep(table: string, found: AnyRow): void {
    if (table === 'runs') this.runs.set((found as RunRow).workflowRunId, found as RunRow)
    else if (table === 'run_blocks') this.#onBlock(found as RunBlockRow)
    else if (table === 'tasks') this.tasks.set((found as TaskRow).taskId, found as TaskRow)
    else if (table === 'browser_sessions') this.sessions.set((found as BrowserSessionRow).browserSessionId, found as BrowserSessionRow)
    else if (table === 'leases') this.lanes.set((found as LeaseRow).leaseId, found as LeaseRow)
    else if (table === 'webhook_deliveries') this.#onDelivery(found as WebhookDeliveryRow)
  }

  #onRun(before: RunRow | undefined, row: RunRow): void {
    const { workflowRunId: id, status } = row
    const say = (what: string) => this.violation(`${id}: ${what}`)
    if (before === undefined) {
      const told = this.eventsOf(id).map(({ type }) => type)
      const hasQueued = row.queuedAt !== null && told.includes('run.queued') // it passed that status in one commit
      if (status === 'running' && hasQueued) this.#checkTurn(row)
      else if (!['created', 'queued', 'failed'].includes(status)) say(`began as ${status}`)
      return
    }
    if (before.status !== status && !NEXT[before.status]?.includes(status)) say(`went from ${before.status} to ${status}`)
    for (const column of ONCE) {
      if (before[column] !== null && before[column].getTime() !== row[column]?.getTime()) say(`its ${column} changed`)
    }
    if (row.leaseFence < before.leaseFence || row.attempt < before.attempt) say('its fence, or attempt, fell')
    if (row.takeovers > MOST_TAKEOVERS) say(`was taken over ${row.takeovers} times`)
    if (status === 'running' && row.startedAt === null) say('runs and has not started')
    if (status !== 'running' && (row.leaseHolder !== null || row.leaseExpiresAt !== null))
      say(`is ${status}, and ${row.leaseHolder} holds it`)
    if (before.cancelRequestedAt !== null && row.cancelRequestedAt?.getTime() !== before.cancelRequestedAt.getTime())
      say('its cancel was forgotten')
    if (before.cancelRequestedAt !== null && status === 'paused' && before.status !== 'paused') say('was paused after its cancel')
    if (isFinal(before)) this.#checkUnchanged(before, row)
    else if (isFinal(row)) this.#checkEnd(before, row)
    if (before.status === 'queued' && status === 'running') this.#checkTurn(row)
  }

  #checkUnchanged(before: RunRow, row: RunRow): void {
    for (const [column, value] of Object.entries(row)) {
      if (AFTER_END.includes(column)) continue
      if (JSON.stringify(before[column as keyof RunRow]) !== JSON.stringify(value))
        this.violation(`${row.workflowRunId}: its ${column} changed after its end`)
    }
  }

  /** What has to hold in the very commit that ends a run. */
  #checkEnd(before: RunRow, row: RunRow): void {
    const { workflowRunId: id, status } = row
    const say = (what: string) => this.violation(`${id}: it is ${status}, and ${what}`)
    if (before.cancelRequestedAt !== null && status !== 'canceled') say('a cancel was asked for before')
    const open = this.blocksOf(id).filter((block) => block.status === 'running')
    if (open.length > 0) say(`${open.map(({ label }) => label).join()} still run`)
    if ([...this.tasks.values()].some((task) => task.workflowRunId === id && task.status === 'running')) say('a task still runs')
    if ([...this.lanes.values()].some(({ leaseHolder }) => leaseHolder === id)) say('it holds a lane')
    if (row.finishedAt === null) say('has not finished')
    if (row.isParked || row.pause !== null || row.pauseDecision !== null || row.pausedAt !== null || row.pauseExpiresAt !== null)
      say('is still parked, or paused')
    if (row.pendingOutcome !== null) say('still comes to something')
    const last = this.eventsOf(id).at(-1)
    if (last?.type !== `run.${status}`) say(`its last event is ${last?.type}`)
    const deliveries = [...this.deliveries.values()].filter(({ workflowRunId }) => workflowRunId === id)
    if (deliveries.length !== (row.webhookCallbackUrl === null ? 0 : 1)) say(`it has ${deliveries.length} deliveries`)
  }

  /** Whether it was its turn to begin. */
  #checkTurn(row: RunRow): void {
    const { workflowRunId: id, dependsOnWorkflowRunId } = row
    const dependency = dependsOnWorkflowRunId === null ? undefined : this.runs.get(dependsOnWorkflowRunId)
    if (dependency !== undefined && dependency.status !== 'completed')
      this.violation(`${id}: began while it depends on one that is ${dependency.status}`)
    for (const column of ['sequentialLane', 'sessionLane'] as const) {
      const lane = row[column]
      if (lane === null) continue
      for (const other of this.runs.values()) {
        if (other.workflowRunId === id || other[column] !== lane) continue
        const isBefore = other.status === 'queued' && (other.queuedAt as Date) < (row.queuedAt as Date)
        if (isBefore) this.violation(`${id}: began before ${other.workflowRunId}, which was queued first in their lane`)
        if (other.status === 'running' || other.status === 'paused')
          this.violation(`${id}: began while ${other.workflowRunId} has their lane`)
      }
    }
  }

  #onBlock(row: RunBlockRow): void {
    const rows = this.blocks.get(row.workflowRunId) ?? new Map<string, RunBlockRow>()
    this.blocks.set(row.workflowRunId, rows)
    const before = rows.get(row.runBlockId)
    rows.set(row.runBlockId, row)
    const say = (what: string) => this.violation(`${row.workflowRunId}, block ${row.label}: ${what}`)
    if (before !== undefined) {
      if (before.status !== 'running' && before.status !== row.status) say(`went from ${before.status} to ${row.status}`)
      return
    }
    if (row.status === 'completed') say('completed as it began') // one whose beginning was refused ends with its run, in one write
    const isSame = (other: RunBlockRow) =>
      other !== row &&
      other.label === row.label &&
      other.parentRunBlockId === row.parentRunBlockId &&
      other.currentIndex === row.currentIndex
    for (const other of rows.values()) {
      if (isSame(other) && other.status === 'completed') say('is executed again after it completed')
      if (isSame(other) && other.status === 'running') say('is executed twice at once')
    }
  }

  #onDelivery(row: WebhookDeliveryRow): void {
    this.deliveries.set(row.deliveryId, row)
    const others = [...this.deliveries.values()].filter(({ workflowRunId }) => workflowRunId === row.workflowRunId)
    if (others.length > 1) this.violation(`${row.workflowRunId}: has two deliveries`)
  }

  #onEvent(event: StoredEvent): void {
    const { stream, seq, type } = event
    const before = this.events.get(stream) ?? []
    this.events.set(stream, before)
    if (seq !== before.length + 1) this.violation(`${stream}: event ${seq} follows ${before.length} others`)
    const isEnd = FINAL.some((status) => type === `run.${status}`)
    const hasEnded = before.some((one) => FINAL.some((status) => one.type === `run.${status}`))
    if (isEnd && hasEnded) this.violation(`${stream}: a second final event, ${type}`)
    if (!isEnd && hasEnded && !type.startsWith('webhook.')) this.violation(`${stream}: ${type} after its final event`)
    if (type === 'run.started' && before.some((one) => one.type === type)) this.violation(`${stream}: started twice`)
    before.push(event)
  }
}
