import type { Clock, Random, Timer } from '../runtime/index.js'
import type { Wake } from '../storage/index.js'
import type { Channel, Port } from './port.js'
import { Subscribers } from './subscribers.js'
import { decodeWakes, encodeWakes } from './wake-codec.js'

export interface NotifierOptions {
  readonly port: Port
  readonly channel: string
  /** Whether processes tell each other; otherwise they only look, every `pollMs`. */
  readonly isTelling: boolean
  readonly pollMs: number
  readonly clock: Clock
  readonly random: Random
}

/** Notifications of one process are this far apart at least: one in every commit would cost two thirds of the throughput. */
const SPACING_MS = 10
/** How long a lost connection is left alone before the next attempt; doubled up to the second number. */
const RECONNECT_MS = [200, 5_000] as const
/** More ids than this in one interval are told as "something changed". */
const MAX_PENDING = 1_000

/**
 * Wake-ups: within this process at once, to other processes by NOTIFY from one connection that also listens, and for what gets lost by
 * waking everybody every `pollMs`.
 */
export class Notifier {
  readonly #options: NotifierOptions
  readonly #subscribers = new Subscribers()
  readonly #self: string
  readonly #local = new Map<string, Wake>()
  readonly #pending = new Map<string, Wake>()
  #channel: Channel | undefined
  #connecting: Promise<void> | undefined
  #sendTimer: Timer | undefined
  #isSending = false
  #pollTimer: Timer | undefined
  #reconnectTimer: Timer | undefined
  #reconnectMs: number = RECONNECT_MS[0]
  #wasDeaf = false
  #isOpen = false

  constructor(options: NotifierOptions) {
    this.#options = options
    this.#self = options.random.bytes(6).toString('hex')
  }

  open(): void {
    this.#isOpen = true
  }

  async close(): Promise<void> {
    this.#isOpen = false
    for (const timer of [this.#sendTimer, this.#pollTimer, this.#reconnectTimer]) timer?.cancel()
    this.#sendTimer = undefined
    this.#pollTimer = undefined
    this.#reconnectTimer = undefined
    await this.#connecting
    if (this.#pending.size > 0) await this.#send().catch(() => {}) // the last commits deserve the attempt
    this.#subscribers.clear()
    const channel = this.#channel
    this.#channel = undefined
    await channel?.close()
  }

  /** Wakes after commits; where this returns, other processes' notifications come in, or polling stands in for them. */
  async subscribe(onWake: (wake: Wake) => void): Promise<() => void> {
    const remove = this.#subscribers.add(onWake)
    this.#poll()
    if (this.#options.isTelling) await this.#connect()
    return () => {
      remove()
      if (this.#subscribers.size > 0) return
      this.#pollTimer?.cancel()
      this.#pollTimer = undefined
    }
  }

  /** Called after a commit with what it changed. */
  committed(wakes: readonly Wake[]): void {
    if (!this.#isOpen || wakes.length === 0) return
    if (this.#subscribers.size > 0) this.#tellHere(wakes)
    if (this.#options.isTelling) this.#tellOthers(wakes)
  }

  #tellHere(wakes: readonly Wake[]): void {
    const wasIdle = this.#local.size === 0
    for (const wake of wakes) this.#local.set(keyOf(wake), wake)
    if (!wasIdle) return
    queueMicrotask(() => {
      const told = [...this.#local.values()]
      this.#local.clear()
      this.#subscribers.wake(told)
    })
  }

  #tellOthers(wakes: readonly Wake[]): void {
    for (const wake of wakes) {
      if (this.#pending.size < MAX_PENDING) this.#pending.set(keyOf(wake), wake)
      else this.#pending.set('', {})
    }
    if (this.#sendTimer !== undefined || this.#isSending) return
    void this.#send().catch(() => {}) // polling finds what was not told
  }

  /** Sends what is pending, then lets at least {@link SPACING_MS} pass before the next. */
  async #send(): Promise<void> {
    this.#isSending = true
    try {
      if (this.#channel === undefined) await this.#connect()
      const payloads = encodeWakes(this.#self, this.#pending.values())
      this.#pending.clear()
      if (payloads.length > 0) await this.#channel?.send(payloads)
    } finally {
      this.#isSending = false
      if (this.#isOpen) {
        this.#sendTimer = this.#options.clock.setTimer(() => {
          this.#sendTimer = undefined
          if (this.#pending.size > 0) void this.#send().catch(() => {}) // polling finds what was not told
        }, SPACING_MS)
      }
    }
  }

  /** Never rejects: without a connection there is polling, and another attempt later. */
  #connect(): Promise<void> {
    if (this.#channel !== undefined || !this.#isOpen || this.#reconnectTimer !== undefined) return Promise.resolve()
    this.#connecting ??= this.#listen().finally(() => {
      this.#connecting = undefined
    })
    return this.#connecting
  }

  async #listen(): Promise<void> {
    const { port, channel: name } = this.#options
    let isLost = false
    try {
      const channel = await port.listen({
        channel: name,
        onMessage: (payload) => this.#subscribers.wake(decodeWakes(this.#self, payload)),
        onLost: () => {
          isLost = true
          this.#channel = undefined
          this.#reconnectLater()
        },
      })
      if (isLost) return
      if (!this.#isOpen) return await channel.close()
      this.#channel = channel
      this.#reconnectMs = RECONNECT_MS[0]
      if (this.#wasDeaf) this.#subscribers.wake([{}]) // whatever was told meanwhile
      this.#wasDeaf = false
    } catch {
      if (!isLost) this.#reconnectLater()
    }
  }

  #reconnectLater(): void {
    this.#wasDeaf = true
    if (!this.#isOpen || this.#reconnectTimer !== undefined) return
    this.#reconnectTimer = this.#options.clock.setTimer(() => {
      this.#reconnectTimer = undefined
      void this.#connect()
    }, this.#reconnectMs)
    this.#reconnectMs = Math.min(this.#reconnectMs * 2, RECONNECT_MS[1])
  }

  #poll(): void {
    if (this.#pollTimer !== undefined || !this.#isOpen) return
    const { clock, random, pollMs } = this.#options
    // spread, so that the hosts of a fleet do not look at the same moment
    this.#pollTimer = clock.setTimer(
      () => {
        this.#pollTimer = undefined
        if (this.#subscribers.size === 0) return
        this.#subscribers.wake([{}])
        this.#poll()
      },
      pollMs * (0.9 + 0.2 * random.fraction()),
    )
  }
}

const keyOf = (wake: Wake) => (wake.stream === undefined ? `${wake.table} ${wake.id}` : ` ${wake.stream}`)
