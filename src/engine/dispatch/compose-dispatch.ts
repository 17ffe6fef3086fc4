import type { AnyEvent } from '../../events/index.js'
import { type Clock, closeAll, type Ids, type Logger } from '../../runtime/index.js'
import type { Storage } from '../../storage/index.js'
import type { RunDispatcher } from '../dispatcher.js'
import { createEndUnexecuted } from '../end-unexecuted.js'
import type { EventFactory } from '../event-factory.js'
import type { LocalRuns } from '../local-runs.js'
import { allEnds, type RunEnds } from '../run-ends.js'
import { RunLeases } from '../run-leases.js'
import { type Look, Sweep } from '../sweep.js'
import type { Workflows } from '../workflows.js'
import { AbandonedLook } from './abandoned-look.js'
import { HostPresence } from './host-signals.js'
import { LaneHandOver } from './lane-hand-over.js'
import { ParkedLook } from './parked-look.js'
import { QueueWatch } from './queue-watch.js'
import { QueuedLook } from './queued-look.js'
import { LaneGate } from './start-gate.js'
import { WaitDeadlines } from './wait-deadlines.js'

export interface DispatchOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly logger: Logger
  readonly ids: Ids
  readonly events: EventFactory
  readonly emit: (event: AnyEvent) => void
  readonly hostId: string
  readonly leaseTtlMs: number
  readonly dispatcher: RunDispatcher
  readonly workflows: Workflows
  readonly localRuns: LocalRuns
  /** Who else hears of every run that ended here. */
  readonly listeners: readonly RunEnds[]
}

/** What brings runs to workers: claims, lanes, waits, wake-ups and the sweep, tied together. */
export function composeDispatch(options: DispatchOptions) {
  const { storage, clock, logger, dispatcher, workflows, localRuns, hostId, leaseTtlMs: ttlMs } = options
  const unparking = { storage, dispatcher, remember: (run: Parameters<RunLeases['remember']>[0]) => leases.remember(run) }
  const lanes = new LaneHandOver({
    ...unparking,
    clock,
    logger,
    onEnded: (workflowRunId) => {
      waits.forget(workflowRunId)
      watch.forget(workflowRunId)
      void queued.refill()
    },
  })
  const ends = allEnds(lanes, ...options.listeners)
  const endUnexecuted = createEndUnexecuted({ ...options, ends })
  const leases = new RunLeases({
    ...options,
    ttlMs,
    gate: new LaneGate({ storage, endUnexecuted }),
    onHostLostOf: async (run) => (await workflows.findPinned(run.workflowId))?.row.onHostLost ?? 'fail',
  })
  const isOurs = (workflowRunId: string) => localRuns.isHere(workflowRunId) || leases.isOurs(workflowRunId)
  const isExecuted = (workflowRunId: string) => leases.get(workflowRunId) !== undefined
  const waits = new WaitDeadlines({ storage, clock, logger, endUnexecuted })
  const queued = new QueuedLook({ storage, dispatcher })
  const abandoned = new AbandonedLook({ storage, dispatcher, isOurs: isExecuted })
  const parked = new ParkedLook(unparking)
  const presence = new HostPresence({ storage, hostId, logger })
  const watch: QueueWatch = new QueueWatch({
    ...{ ...unparking, clock, logger, hostId, isOurs },
    onSignal: () => void leases.beatNow(),
    onAnything: () => service.nudge(),
  })
  const looks: Look[] = [
    { what: 'queued runs', work: () => queued.look() },
    { what: 'runs without a host', work: () => abandoned.unheld() },
    { what: 'runs of dead hosts', work: () => abandoned.lapsed() },
    { what: 'canceled runs that are paused', work: () => abandoned.canceled() },
    { what: 'runs that have waited long enough', work: () => waits.sweep() },
    { what: 'parked runs', work: () => parked.look() },
    { what: 'hosts', work: () => presence.refresh() },
  ]
  const pickUp = async () => {
    await queued.pickUp()
    await abandoned.unheld()
    await parked.lookAtAll()
  }
  const service = new DispatchService({ ...options, looks, pickUp, parts: { lanes, waits, watch, presence } })
  return { leases, ends, endUnexecuted, service, onQueued: onQueued(leases, waits) }
}

/** A run that was just queued here: its claim need not read it, and its wait is minded. */
const onQueued =
  (leases: RunLeases, waits: WaitDeadlines) =>
  (run: Parameters<RunLeases['remember']>[0]): void => {
    if (!run.isParked) leases.remember(run)
    waits.watch(run)
  }

interface DispatchServiceOptions extends DispatchOptions {
  readonly looks: readonly Look[]
  /** Looks once, at the start, for all that can begin. */
  readonly pickUp: () => Promise<void>
  readonly parts: {
    readonly lanes: LaneHandOver
    readonly waits: WaitDeadlines
    readonly watch: QueueWatch
    readonly presence: HostPresence
  }
}

/** Looks for work for this host, from `start()` to `stop()`. */
export class DispatchService {
  readonly #options: DispatchServiceOptions
  readonly #looks: Look[]
  readonly #sweep: Sweep

  constructor(options: DispatchServiceOptions) {
    this.#options = options
    this.#looks = [...options.looks]
    this.#sweep = new Sweep({ ...options, looks: this.#looks })
  }

  /** Has the sweep look for something else, too. */
  addLook(look: Look): void {
    this.#looks.push(look)
  }

  /** Something may have changed, and nobody knows what. */
  nudge(): void {
    this.#sweep.nudge()
  }

  /** Called when the dispatcher runs: picks up what was left, then listens and looks. A storage of this process alone has no others to look for. */
  async start(): Promise<void> {
    const { storage, pickUp, parts } = this.#options
    parts.lanes.start()
    parts.waits.start()
    await parts.presence.start()
    await parts.watch.start()
    await pickUp()
    if (!storage.capabilities.durable && !storage.capabilities.shared) return
    await this.#sweep.tick()
    this.#sweep.start()
  }

  /** Hears and looks for nothing more; runs that still go on may end after this. */
  async stopLooking(): Promise<void> {
    const { parts } = this.#options
    await closeAll([() => this.#sweep.stop(), () => parts.watch.stop()], 'DispatchService')
  }

  /** Called when nothing runs any more; resolves when nothing is under way. */
  async stop(): Promise<void> {
    const { parts } = this.#options
    await closeAll([() => parts.waits.stop(), () => parts.lanes.stop(), () => parts.presence.stop()], 'DispatchService')
  }
}
