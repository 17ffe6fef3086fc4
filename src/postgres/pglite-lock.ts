import { link, mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import {
  type Clock,
  currentProcessSpace,
  identifyProcess,
  isAlive,
  isSameSpace,
  type ProcessIdentity,
  type ProcessSpace,
  sleep,
  systemClock,
  systemRandom,
  type Timer,
} from '../runtime/index.js'
import { storageError } from './failures.js'

interface Holder {
  readonly process: ProcessIdentity
  readonly space: ProcessSpace
}

/** How often a holder shows that it lives, for those who cannot see its process. */
const TOUCH_MS = 5_000
/** After how long without a sign a holder in another container or on another machine counts as gone. */
const ABANDONED_MS = 60_000
const TAKEOVER_MS = 10_000

const shared = new WeakMap<object, PgliteLock>()

/**
 * The file beside a PGlite directory that says which process has it open: PGlite itself lets two of them in, which ruins the data.
 * The file of a process that is gone is taken over.
 */
export class PgliteLock {
  readonly path: string
  readonly #directory: string
  readonly #clock: Clock
  #isHeld = false
  #written: string | undefined
  #holders = 0
  #acquiring: Promise<void> | undefined
  #timer: Timer | undefined

  /** Several storages over one instance, each with its own schema, hold one lock together. */
  static of(instance: object, directory: string): PgliteLock {
    const known = shared.get(instance)
    if (known !== undefined) return known
    const lock = new PgliteLock(directory)
    shared.set(instance, lock)
    return lock
  }

  constructor(directory: string, clock: Clock = systemClock) {
    this.#directory = resolve(directory)
    this.#clock = clock
    this.path = `${this.#directory}.runwright.lock`
  }

  /** @throws {StorageError} `STORAGE_LOCKED` naming the process that has the directory */
  async acquire(): Promise<void> {
    this.#acquiring ??= this.#take()
    try {
      await this.#acquiring
      this.#holders++
    } catch (error) {
      this.#acquiring = undefined
      throw error
    }
  }

  async release(): Promise<void> {
    if (this.#holders > 0) this.#holders--
    if (this.#holders > 0 || !this.#isHeld) return
    this.#isHeld = false
    this.#acquiring = undefined
    this.#timer?.cancel()
    if ((await readIfThere(this.path)) === this.#written) await rm(this.path, { force: true })
  }

  async #take(): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true })
    const holder: Holder = { process: identifyProcess(process.pid), space: currentProcessSpace() }
    // written whole beside, then linked: whoever reads the lock reads all of it
    const written = `${this.path}.${systemRandom.bytes(8).toString('hex')}`
    this.#written = JSON.stringify(holder)
    await writeFile(written, this.#written, { mode: 0o600 })
    try {
      for (let attempt = 0; attempt < 20; attempt++) {
        if (await tryLink(written, this.path)) {
          this.#isHeld = true
          this.#touchLater()
          return
        }
        const present = await readIfThere(this.path)
        if (present === undefined) continue
        if (await this.#mayLive(present)) throw this.#lockedBy(present)
        if (!(await this.#removeStale(written, present))) await sleep(this.#clock, 25)
      }
      throw this.#lockedBy(await readIfThere(this.path))
    } finally {
      await rm(written, { force: true })
    }
  }

  /** One at a time, and only while it is still the one that was found stale: otherwise the lock of whoever was faster would go. */
  async #removeStale(written: string, stale: string): Promise<boolean> {
    const turn = `${this.path}.takeover`
    if (!(await tryLink(written, turn))) {
      const { ctimeMs } = await stat(turn).catch(() => ({ ctimeMs: Number.POSITIVE_INFINITY }))
      // it takes milliseconds: whoever began it has died over it
      if (this.#clock.now().getTime() - ctimeMs > TAKEOVER_MS) await rm(turn, { force: true })
      return false
    }
    try {
      if ((await readIfThere(this.path)) === stale) await rm(this.path, { force: true })
      return true
    } finally {
      await rm(turn, { force: true })
    }
  }

  #touchLater(): void {
    this.#timer = this.#clock.setTimer(async () => {
      if (!this.#isHeld) return
      const now = this.#clock.now()
      await utimes(this.path, now, now).catch(() => {}) // somebody deleted it, as its message says one may
      if (this.#isHeld) this.#touchLater()
    }, TOUCH_MS)
  }

  async #mayLive(text: string): Promise<boolean> {
    const holder = parseHolder(text)
    if (holder === undefined) return false
    const here = currentProcessSpace()
    if (isSameSpace(holder.space, here)) return isAlive(holder.process)
    // another boot of this machine has ended with its processes
    if (holder.space.machine === here.machine && holder.space.bootId !== here.bootId) return false
    const { mtimeMs } = await stat(this.path).catch(() => ({ mtimeMs: 0 }))
    return this.#clock.now().getTime() - mtimeMs < ABANDONED_MS
  }

  #lockedBy(text: string | undefined) {
    const holder = text === undefined ? undefined : parseHolder(text)
    const pid = holder?.process.pid
    const who =
      holder === undefined ? 'another process' : `process ${pid}${pid === process.pid ? ' (this one)' : ''} on ${holder.space.machine}`
    const message = `The PGlite directory ${this.#directory} is open in ${who}; PGlite serves one process at a time. If that process is gone, delete ${this.path}`
    return storageError('STORAGE_LOCKED', message, { details: { directory: this.#directory, pid, machine: holder?.space.machine } })
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Partial<Holder>
    return typeof holder.process?.pid === 'number' && holder.space !== undefined ? (holder as Holder) : undefined
  } catch {
    return undefined // not ours
  }
}

const readIfThere = (path: string): Promise<string | undefined> => readFile(path, 'utf8').catch(() => undefined)

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}
