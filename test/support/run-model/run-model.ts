import type { WebhookAnswer, WebhookRequest } from '../../../src/engine/webhooks/transport.js'
import { sleep } from '../../../src/runtime/index.js'
import { MemoryStorage, type RunRow, type Storage } from '../../../src/storage/index.js'
import { FakeClock, sequentialIds } from '../../../src/testing/index.js'
import { receive } from './air-transport.js'
import { observed, WEATHER } from './host-storage.js'
import { type HostWorld, RunHost } from './run-host.js'
import { isFinal, RunLedger } from './run-ledger.js'
import { type Workflows, workflows } from './workflows.js'

/** What may be said to somebody who does not get what he wants. */
const REFUSALS =
  /^(RUN_NOT_PAUSED|RUN_NOT_FOUND|NOT_RUNNING|QUEUE_FULL|SESSION_[A-Z_]+|POOL_SATURATED|ACQUIRE_TIMEOUT|BREAKER_OPEN|BROWSER_LAUNCH_FAILED|LEASE_LOST|STORAGE_FAILED)$/

let worlds = 0

/** Hosts on one storage, and every call that is under way. */
export class RunModel {
  readonly clock = new FakeClock()
  readonly memory = new MemoryStorage({ clock: this.clock })
  readonly ledger = new RunLedger()
  readonly hosts: RunHost[] = []
  /** Hosts whose place another has taken. */
  readonly dead: RunHost[] = []
  /** Named sessions, oldest first. */
  readonly sessions: string[] = []
  readonly webhookUrl: string
  /** By run: the deliveries that were sent. */
  readonly sent = new Map<string, Set<string>>()
  readonly workflows: Workflows
  readonly #world: HostWorld
  readonly #coming = new Set<Promise<void>>()
  readonly #calls = new Set<{ readonly name: string; readonly host: RunHost }>()
  readonly #stopReceiving: () => void
  #made = 0
  #latencyMs: number

  constructor(params: { readonly fraction: () => number; readonly latencyMs: number; readonly workflows: Workflows }) {
    worlds += 1
    this.workflows = params.workflows
    this.#latencyMs = params.latencyMs
    this.webhookUrl = `https://receiver-${worlds}.test/`
    this.#stopReceiving = receive(this.webhookUrl, (request) => this.#receive(request))
    const storage = observed(this.memory, (batch, result) => this.ledger.onCommit(batch, result))
    this.#world = { clock: this.clock, storage, ids: sequentialIds(), baseDirectory: `/air/runs-${worlds}`, fraction: params.fraction }
  }

  static async create(params: { readonly fraction: () => number; readonly latencyMs: number }): Promise<RunModel> {
    const made = await workflows()
    const model = new RunModel({ ...params, workflows: made })
    await model.memory.commit(made.rows.map((row) => ({ op: 'insert', table: 'workflows', row })))
    return model
  }

  end(): void {
    this.#stopReceiving()
  }

  /** A new process; it may take the place of one that died. Its start takes no time. */
  async addHost(place: number, wrap: (storage: Storage) => Storage = (storage) => storage): Promise<RunHost> {
    this.#made += 1
    const former = this.hosts[place]
    if (former !== undefined) this.dead.push(former)
    const host = new RunHost(`host_${this.#made}`, { ...this.#world, storage: wrap(this.#world.storage) })
    this.hosts[place] = host
    await host.start()
    host.hasArrived = true
    await this.createSession(host)
    host.storage.weather = { latencyMs: this.#latencyMs, fault: 'none' }
    return host
  }

  /** Follows what happens in the middle of something else. */
  whileComing(work: Promise<void>): void {
    const settled = work.catch((error: unknown) => this.ledger.violation(`it could not happen: ${String(error)}`))
    this.#coming.add(settled)
    void settled.finally(() => this.#coming.delete(settled))
  }

  /** Resolves when every process that takes another's place is there. */
  async arrived(): Promise<void> {
    await Promise.all(this.#coming)
  }

  async createSession(host: RunHost): Promise<void> {
    const created = host.pool.create({ timeoutMinutes: 600 }).then(({ browserSessionId }) => this.sessions.push(browserSessionId))
    this.follow('create', host, created)
  }

  /** Runs, oldest first; children too. */
  get runs(): readonly RunRow[] {
    return [...this.ledger.runs.values()]
  }

  /** Follows a call: it may only be refused as is known, and has to settle. */
  follow(name: string, host: RunHost, work: Promise<unknown>): void {
    const call = { name, host }
    this.#calls.add(call)
    const settled = () => void this.#calls.delete(call)
    work.then(settled, (error: { code?: string; message?: string; stack?: string }) => {
      settled()
      const isOfWeather = error.message?.includes(WEATHER) === true
      if (!isOfWeather && !REFUSALS.test(error.code ?? ''))
        this.ledger.violation(`${name} failed with ${error.code ?? error.stack}: ${error.message}`)
    })
  }

  /** Follows a cancel: once it was accepted, the run has ended or is going to be canceled. */
  followCancel(host: RunHost, workflowRunId: string): void {
    const canceled = host.engine.cancel({ workflowRunId, by: 'ada' }).then(({ status, cancelRequestedAt }) => {
      if (!isFinal({ status }) && cancelRequestedAt === null)
        this.ledger.violation(`${workflowRunId}: a cancel was accepted, and not recorded`)
    })
    this.follow(`cancel of ${workflowRunId}`, host, canceled)
  }

  get unsettled(): readonly string[] {
    return [...this.#calls].filter(({ host }) => !host.isDead).map(({ name, host }) => `${name} at ${host.hostId}`)
  }

  /** Two out of three are taken at once, the others on the second attempt. */
  async #receive({ body, headers, signal }: WebhookRequest): Promise<WebhookAnswer> {
    const { workflowRunId } = JSON.parse(body) as { workflowRunId: string }
    const id = headers['x-runwright-delivery'] as string
    const isRepeated = this.sent.get(workflowRunId)?.has(id) === true
    this.sent.set(workflowRunId, (this.sent.get(workflowRunId) ?? new Set()).add(id))
    await sleep(this.clock, 20, signal)
    return { kind: 'answered', statusCode: isRepeated || this.#world.fraction() < 0.7 ? 200 : 503, retryAfter: null }
  }
}
