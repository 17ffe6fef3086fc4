import type { SessionLease, SessionPoolOptions } from '../../../src/sessions/index.js'
import { MemoryStorage, type Storage } from '../../../src/storage/index.js'
import { FakeClock, sequentialIds } from '../../../src/testing/index.js'
import { type Given, Ledger } from './ledger.js'
import { type HostWorld, ModelHost } from './model-host.js'
import { observed } from './model-storage.js'

export const LIMITS = { maxSessions: 3, maxSessionsPerOrganization: 4, maxQueue: 4 } as const

/** What may be said to somebody who does not get what he wants. */
const REFUSALS =
  /^(SESSION_(NOT_ATTACHABLE|OCCUPIED|ENDED|EXPIRED|NOT_FOUND|NOT_RENEWABLE|HOST_UNAVAILABLE|RETIRED|LOST)|POOL_SATURATED|ACQUIRE_TIMEOUT|BREAKER_OPEN|BROWSER_LAUNCH_FAILED|STALE_LEASE|LEASE_LOST|NOT_RUNNING|STORAGE_FAILED)$/

/** Options of the pools beside the limits. */
export type ModelOptions = Pick<SessionPoolOptions, 'warm' | 'recycle'>

let worlds = 0

/** Two hosts on one storage, what they gave to whom, and every call that is under way. */
export class Model {
  readonly clock = new FakeClock()
  readonly ledger: Ledger
  readonly memory: MemoryStorage
  /** The storage as it is, without the weather of any host. */
  readonly storage: Storage
  readonly baseDirectory: string
  readonly hosts: ModelHost[] = []
  /** Sessions that anybody has heard of, oldest first. */
  readonly sessions: { readonly organizationId: string; readonly browserSessionId: string }[] = []
  /** How often the listeners of all hosts heard of an event, by its id. */
  readonly told = new Map<string, number>()
  readonly #world: HostWorld
  /** Calls that have not settled. */
  readonly #calls = new Set<{ readonly name: string; readonly host: ModelHost }>()
  #made = 0
  #skewMs = 0
  #starting = 0
  #highestSkewMs = 0

  constructor(options: ModelOptions) {
    worlds += 1
    this.baseDirectory = `/air/${worlds}`
    const { clock } = this
    this.ledger = new Ledger({
      nowMs: () => clock.now().getTime(),
      monotonicMs: () => clock.monotonicMs(),
      perOrganization: LIMITS.maxSessionsPerOrganization,
    })
    this.memory = new MemoryStorage({ clock })
    this.storage = observed(this.memory, (batch, result) => this.ledger.onCommit(batch, result))
    this.#world = {
      clock,
      storage: this.storage,
      ids: sequentialIds(),
      baseDirectory: this.baseDirectory,
      options: { launchConcurrency: 2, launchTimeoutMs: 5_000, ...options, ...LIMITS },
      onViolation: (what) => this.ledger.violation(what),
      browserOf: (id) =>
        this.hosts
          .flatMap(({ driver }) => driver.handles)
          .find((one) => one.process !== null && one.isAlive && one.spec.browserSessionId === id),
    }
  }

  /** A new process; it may take the place of one that died. */
  async addHost(place: number): Promise<void> {
    this.#made += 1
    const host = new ModelHost(`host_${this.#made}`, this.#world)
    this.hosts[place] = host
    host.pool.onAny(({ id }) => this.told.set(id, (this.told.get(id) ?? 0) + 1))
    await host.pool.start()
    await this.clock.advance(0) // its spare has come up as a whole, or not at all
  }

  /** A name that nobody has had. */
  nextRunnable(): string {
    this.#made += 1
    return `wr_${this.#made}`
  }

  /** Follows a start, which looks at the machine: that takes real time, for which the fake clock has to wait (`started`). */
  async whileStarting(start: Promise<unknown>): Promise<void> {
    this.#starting += 1
    await start.finally(() => {
      this.#starting -= 1
    })
  }

  /** Resolves when no host is in the middle of its start. */
  async started(): Promise<void> {
    for (let turn = 0; this.#starting > 0 && turn < 100_000; turn += 1) await this.clock.advance(turn < 100 ? 1 : 50)
  }

  /** Sets the storage's clock. */
  skew(ms: number): void {
    this.#skewMs += ms
    this.#highestSkewMs = Math.max(this.#highestSkewMs, this.#skewMs)
    this.clock.skew(ms)
  }

  /** Everything works again; a storage's clock that was set back is right again, so that what has lapsed is seen to have. */
  recover(): void {
    for (const host of this.hosts) host.recover()
    this.skew(this.#highestSkewMs - this.#skewMs)
  }

  /** Follows a call: it may only be refused as is known, and has to settle within its time. */
  follow(name: string, host: ModelHost, work: Promise<unknown>, timeoutMs = Number.POSITIVE_INFINITY): void {
    const call = { name, host }
    const dueMs = this.clock.monotonicMs() + timeoutMs
    this.#calls.add(call)
    const settled = () => {
      this.#calls.delete(call)
      if (this.clock.monotonicMs() > dueMs) this.ledger.violation(`${name} settled ${this.clock.monotonicMs() - dueMs} ms late`)
    }
    work.then(settled, (error: { code?: string; message?: string }) => {
      settled()
      if (error.message !== 'gone' && !REFUSALS.test(error.code ?? '')) {
        this.ledger.violation(`${name} failed with ${error.code ?? String((error as Error).stack)}: ${error.message}`)
      }
    })
  }

  /** Follows a call for a lease. */
  followLease(name: string, to: Omit<Given, 'lease' | 'isGivenUp' | 'atMs'>, work: Promise<SessionLease>, timeoutMs?: number): void {
    const given = work.then((lease) => {
      this.ledger.onGiven({ ...to, lease, isGivenUp: false, atMs: this.clock.monotonicMs() })
      this.know(lease.session)
    })
    this.follow(name, to.host, given, timeoutMs)
  }

  know({ organizationId, browserSessionId }: { readonly organizationId: string; readonly browserSessionId: string }): void {
    if (!this.sessions.some((one) => one.browserSessionId === browserSessionId)) this.sessions.push({ organizationId, browserSessionId })
  }

  /** Names of the calls that have not settled, of hosts that live. */
  get unsettled(): readonly string[] {
    return [...this.#calls].filter(({ host }) => !host.isDead).map(({ name }) => name)
  }

  check(): void {
    this.ledger.check(this.hosts, LIMITS.maxQueue)
  }
}
