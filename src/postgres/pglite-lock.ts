import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { currentProcessSpace, identifyProcess, isAlive, isSameSpace, type ProcessIdentity, type ProcessSpace, systemRandom } from '../runtime/index.js'
import { storageError } from './failures.js'

interface Holder {
  readonly process: ProcessIdentity
  readonly space: ProcessSpace
}

/**
 * The file beside a PGlite directory that says which process has it open: PGlite itself lets two of them in, which ruins the data.
 * The file of a process that is gone is taken over.
 */
export class PgliteLock {
  readonly path: string
  readonly #directory: string
  #isHeld = false

  constructor(directory: string) {
    this.#directory = resolve(directory)
    this.path = `${this.#directory}.runwright.lock`
  }

  /** @throws {StorageError} `STORAGE_LOCKED` naming the process that has the directory */
  async acquire(): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true })
    const holder: Holder = { process: identifyProcess(process.pid), space: currentProcessSpace() }
    // written whole beside, then linked: whoever reads the lock reads all of it
    const written = `${this.path}.${systemRandom.bytes(8).toString('hex')}`
    await writeFile(written, JSON.stringify(holder), { mode: 0o600 })
    try {
      for (let attempt = 0; attempt < 3; attempt++) {
        if (await tryLink(written, this.path)) {
          this.#isHeld = true
          return
        }
        const present = await readHolder(this.path)
        if (present !== undefined && mayLive(present)) throw this.#lockedBy(present)
        await rm(this.path, { force: true })
      }
      throw this.#lockedBy(await readHolder(this.path))
    } finally {
      await rm(written, { force: true })
    }
  }

  async release(): Promise<void> {
    if (!this.#isHeld) return
    this.#isHeld = false
    await rm(this.path, { force: true })
  }

  #lockedBy(holder: Holder | undefined) {
    const pid = holder?.process.pid
    const who = holder === undefined ? 'another process' : `process ${pid}${pid === process.pid ? ' (this one)' : ''} on ${holder.space.machine}`
    const message = `The PGlite directory ${this.#directory} is open in ${who}; PGlite serves one process at a time. If that process is gone, delete ${this.path}`
    return storageError('STORAGE_LOCKED', message, { details: { directory: this.#directory, pid, machine: holder?.space.machine } })
  }
}

/** Elsewhere nobody can look: it counts as alive. Another boot of this machine has ended with its processes. */
function mayLive({ process: holder, space }: Holder): boolean {
  const here = currentProcessSpace()
  if (isSameSpace(space, here)) return isAlive(holder)
  return !(space.machine === here.machine && space.bootId !== here.bootId)
}

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const holder = JSON.parse(await readFile(path, 'utf8')) as Partial<Holder>
    return typeof holder.process?.pid === 'number' && holder.space !== undefined ? (holder as Holder) : undefined
  } catch {
    return undefined // released meanwhile, or not ours: taken over
  }
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}
