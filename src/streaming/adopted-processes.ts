import { StreamingError } from '../errors/index.js'
import { type Clock, isAlive, type ProcessIdentity, sleep, type Timer, withDeadline } from '../runtime/index.js'
import { DisplayDirectory } from './display-directory.js'
import { readOwnerFile } from './owner-file.js'
import type { DisplayProcesses } from './process-chain.js'
import { rfbHandshake } from './rfb/handshake.js'

const LOOK_EVERY_MS = 100
const TERM_GRACE_MS = 2_000
const STOP_POLL_MS = 20
const ANSWER_TIMEOUT_MS = 2_000

/** Processes that another process has started: watched, and signalled only while they are the same ones. */
export class AdoptedProcesses implements DisplayProcesses {
  readonly #identities: readonly ProcessIdentity[]
  readonly #clock: Clock
  #timer: Timer | undefined
  #isOver = false

  constructor(identities: readonly ProcessIdentity[], clock: Clock) {
    this.#identities = identities
    this.#clock = clock
  }

  get pids(): readonly number[] {
    return this.#identities.filter(isAlive).map(({ pid }) => pid)
  }

  onExit(listener: (process: { readonly name: string }, exit: { readonly reason: string }) => void): void {
    this.#timer = this.#clock.setTimer(() => {
      if (this.#isOver) return
      const gone = this.#identities.find((identity) => !isAlive(identity))
      if (gone === undefined) return this.onExit(listener)
      this.#isOver = true
      listener({ name: `process ${gone.pid}` }, { reason: 'ended' })
    }, LOOK_EVERY_MS)
  }

  leave(): void {
    this.#isOver = true
    this.#timer?.cancel()
  }

  /** TERM, 2 s, KILL. */
  async stop(): Promise<void> {
    this.leave()
    const signal = (name: NodeJS.Signals) => {
      for (const { pid } of this.#identities.filter(isAlive)) tryKill(pid, name)
    }
    signal('SIGTERM')
    const deadline = this.#clock.monotonicMs() + TERM_GRACE_MS
    while (this.pids.length > 0 && this.#clock.monotonicMs() < deadline) await sleep(this.#clock, STOP_POLL_MS)
    signal('SIGKILL')
    while (this.pids.length > 0) await sleep(this.#clock, STOP_POLL_MS)
  }
}

/** Takes over the display of a directory: its processes are those that its owner wrote down, and it answers under its session's name. */
export async function adoptDisplay(params: {
  readonly directory: string
  readonly browserSessionId: string
  readonly hostId: string
  readonly clock: Clock
  readonly signal: AbortSignal
}): Promise<{
  readonly chain: AdoptedProcesses
  readonly directory: DisplayDirectory
  readonly displayNumber: number
  readonly size: { readonly width: number; readonly height: number }
}> {
  const { browserSessionId, hostId, clock, signal } = params
  const owner = await readOwnerFile(params.directory)
  const refuse = (reason: string, cause?: unknown) =>
    new StreamingError(`The display of session ${browserSessionId} cannot be adopted: ${reason}`, {
      code: 'DISPLAY_START_FAILED',
      details: { browserSessionId, directory: params.directory },
      cause,
    })
  if (owner?.display == null || owner.browserSessionId !== browserSessionId) throw refuse('its directory does not tell of it')
  const { processes, displayNumber } = owner.display
  // without a start time the number alone would have to decide, and it may have been given to somebody else
  if (!processes.every((process) => process.startTime !== null && isAlive(process))) throw refuse('its X server is gone')
  const size = await withDeadline({
    run: (bounded) => rfbHandshake({ socketPath: `${params.directory}/rfb`, signal: bounded }),
    timeoutMs: ANSWER_TIMEOUT_MS,
    onTimeout: () => new Error(`it did not answer within ${ANSWER_TIMEOUT_MS} ms`),
    signal,
    clock,
  }).catch((cause: unknown) => {
    signal.throwIfAborted()
    throw refuse(cause instanceof Error ? cause.message : String(cause), cause)
  })
  if (size.name !== browserSessionId) throw refuse(`the display of ${size.name} answers instead`)
  const directory = await DisplayDirectory.takeOver(params.directory, owner, hostId)
  return { chain: new AdoptedProcesses(processes, clock), directory, displayNumber, size }
}

function tryKill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // it ended between the look and the signal
  }
}
