import type { Leftovers } from './leftovers.js'
import type { KilledProcesses } from './orphan-processes.js'
import type { SessionEnder } from './session-ender.js'
import type { SessionRegistry } from './session-registry.js'
import type { SessionParts } from './session-teardown.js'

/** What became of browsers that could not be ended when their pool stopped. */
export interface RemainsReport {
  readonly killed: readonly KilledProcesses[]
  readonly removedDirectories: readonly string[]
  readonly failures: readonly string[]
}

/** Browsers of this very pool that outlasted its `stop()`: each keeps its slot until its process is confirmed gone. */
export class PoolRemains {
  readonly #registry: SessionRegistry
  readonly #ender: SessionEnder
  readonly #leftovers: Leftovers

  constructor(parts: { readonly registry: SessionRegistry; readonly ender: SessionEnder; readonly leftovers: Leftovers }) {
    this.#registry = parts.registry
    this.#ender = parts.ender
    this.#leftovers = parts.leftovers
  }

  /** Tries once more to end them; never rejects. The reaper goes on with what is left. */
  async end(): Promise<RemainsReport> {
    const endings = this.#registry.allEnding
    const before = this.#left()
    this.#ender.retryAll()
    await Promise.all([...endings.map(({ done }) => done), this.#leftovers.retryAll()])
    const left = new Set(this.#left().map(({ browserSessionId }) => browserSessionId))
    const gone = before.filter(({ browserSessionId }) => !left.has(browserSessionId))
    const directoryOf = ({ directory }: SessionParts) => directory?.path ?? ''
    return {
      killed: gone.map((parts) => ({ browserSessionId: parts.browserSessionId, directory: directoryOf(parts), count: 1 })),
      removedDirectories: gone.flatMap(({ directory }) => (directory === null ? [] : [directory.path])),
      failures: [...left].map((id) => `the browser of session ${id} cannot be ended since this pool was stopped: it keeps its slot`),
    }
  }

  #left(): readonly SessionParts[] {
    const endings = this.#registry.allEnding.filter(({ isProcessGone }) => !isProcessGone)
    return [...endings.map(({ parts }) => parts), ...this.#leftovers.left]
  }
}
