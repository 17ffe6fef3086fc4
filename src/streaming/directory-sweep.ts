import type { Stats } from 'node:fs'
import { lstat, readdir, rm, rmdir, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, currentProcessSpace, isAlive, isSameSpace, sleep } from '../runtime/index.js'
import { DISPLAY_DIRECTORY_PREFIX } from './display-directory.js'
import { type DisplayOwner, readOwnerFile } from './owner-file.js'

/** A directory younger than this may belong to a display that is being started. */
const SETTLED_AGE_MS = 60_000
const TERM_GRACE_MS = 2_000
const POLL_MS = 20

/** What a sweep removed. */
export interface SweepResult {
  readonly directories: readonly string[]
  readonly endedPids: readonly number[]
}

/** Removes what dead hosts left behind: directories, processes that outlived their host, X sockets. Whoever may be alive is left alone. */
export async function sweepDisplayDirectories(options: {
  readonly clock: Clock
  readonly parent?: string | undefined
  /** Whether a detached display, whose host is dead, is somebody's still. @default none is */
  readonly isWanted?: (owner: DisplayOwner) => Promise<boolean>
}): Promise<SweepResult> {
  const parent = options.parent ?? tmpdir()
  const directories: string[] = []
  const endedPids: number[] = []
  for (const name of await readdir(parent).catch(() => [])) {
    if (!name.startsWith(DISPLAY_DIRECTORY_PREFIX)) continue
    const directory = join(parent, name)
    const found = await lstat(directory).catch(() => undefined)
    if (!found?.isDirectory() || found.uid !== process.geteuid?.()) continue // somebody else's, whatever its name says
    const owner = await readOwnerFile(directory)
    const ageMs = options.clock.now().getTime() - found.mtimeMs
    if (owner === undefined) {
      if (ageMs > SETTLED_AGE_MS) await rmdir(directory).catch(() => {}) // only when it is empty: of its content nothing is known
      continue
    }
    if (!(await isLeftBehind(owner, directory, ageMs))) continue
    if (owner.detached === true && (await options.isWanted?.(owner)) === true) continue
    endedPids.push(...(await endProcesses(owner, options.clock)))
    await removeXSocket(owner)
    await rm(directory, { recursive: true, force: true })
    directories.push(directory)
  }
  return { directories, endedPids }
}

/** Process ids decide where they mean something; elsewhere (another boot, another container) a refusing RFB socket does. */
async function isLeftBehind(owner: DisplayOwner, directory: string, ageMs: number): Promise<boolean> {
  const here = currentProcessSpace()
  if (isSameSpace(owner.space, here)) return !isAlive(owner.owner)
  if (owner.space.machine !== here.machine) return false
  return ageMs > SETTLED_AGE_MS && (await refusesConnections(join(directory, 'rfb')))
}

async function endProcesses(owner: DisplayOwner, clock: Clock): Promise<readonly number[]> {
  if (!isSameSpace(owner.space, currentProcessSpace())) return []
  // without a start time the number alone would have to decide, and it may have been given to somebody else
  const left = (owner.display?.processes ?? []).filter((process) => process.startTime !== null && isAlive(process))
  const signal = (name: NodeJS.Signals) => {
    for (const { pid } of left.filter(isAlive)) tryKill(pid, name)
  }
  signal('SIGTERM')
  const deadline = clock.monotonicMs() + TERM_GRACE_MS
  while (left.some(isAlive) && clock.monotonicMs() < deadline) await sleep(clock, POLL_MS)
  signal('SIGKILL')
  return left.map(({ pid }) => pid)
}

/** The X server leaves its socket when it is killed. It is removed only if it is still the same file and nobody answers. */
async function removeXSocket(owner: DisplayOwner): Promise<void> {
  const socket = owner.display?.xSocket
  if (!socket || !(await refusesConnections(socket.path))) return
  const found: Stats | undefined = await lstat(socket.path).catch(() => undefined)
  if (found?.isSocket() && found.ino === socket.inode) await unlink(socket.path).catch(() => {}) // gone by now, or not ours to remove
}

function refusesConnections(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED' || error.code === 'ENOENT'))
  })
}

function tryKill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // it ended between the look and the signal
  }
}
