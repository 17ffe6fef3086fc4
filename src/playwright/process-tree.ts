import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Clock, sleep } from '../runtime/index.js'
import type { ProcessIdentity } from '../sessions/ports.js'

/** Variable in the environment of a browser and of all that it starts; its value is the session's folder. */
export const BROWSER_MARK = 'RUNWRIGHT_BROWSER'

/** One line of the process table. */
export interface ProcessEntry {
  readonly pid: number
  readonly parentPid: number
  readonly groupId: number
  readonly startTime: string
  readonly isZombie: boolean
}

/** Reads one `/proc/<pid>/stat`; null where it is not one. The name in brackets may hold blanks and brackets itself. */
export function parseStat(stat: string): ProcessEntry | null {
  const open = stat.indexOf('(')
  const close = stat.lastIndexOf(')')
  if (open < 1 || close < open) return null
  const fields = stat
    .slice(close + 2)
    .trim()
    .split(' ')
  const [state, parentPid, groupId] = fields
  const startTime = fields[19] // field 22 of the line: three stand before the state's successors
  const pid = Number(stat.slice(0, open).trim())
  if (!Number.isInteger(pid) || state === undefined || startTime === undefined) return null
  return { pid, parentPid: Number(parentPid), groupId: Number(groupId), startTime, isZombie: state === 'Z' || state === 'X' }
}

/**
 * The processes of a tree in a process table: the root, everything below it, its process group, and what `isMarked` claims
 * (Chromium's crash handlers detach themselves from both), with everything below those. Zombies are gone already.
 */
export function collectTree(
  table: readonly ProcessEntry[],
  rootPid: number | null,
  isMarked: (pid: number) => boolean,
): readonly ProcessEntry[] {
  const tree = new Map<number, ProcessEntry>()
  const add = (entry: ProcessEntry) => {
    if (tree.has(entry.pid)) return
    tree.set(entry.pid, entry)
    for (const child of table) if (child.parentPid === entry.pid) add(child)
  }
  for (const entry of table) {
    if (entry.pid === rootPid || (rootPid !== null && entry.groupId === rootPid) || isMarked(entry.pid)) add(entry)
  }
  return [...tree.values()].filter((entry) => !entry.isZombie)
}

/** The process table; empty where there is no /proc. */
export function readProcessTable(): readonly ProcessEntry[] {
  return pids().flatMap((pid) => readEntry(pid) ?? [])
}

/** Whether the process with this identity exists and is not a zombie; where identities cannot be read, whether the pid exists. */
export function isProcessAlive(identity: ProcessIdentity): boolean {
  const entry = readEntry(identity.pid)
  if (entry !== null) return !entry.isZombie && (identity.startTime === null || entry.startTime === identity.startTime)
  return identity.startTime === null && canSignal(identity.pid)
}

/** Identity of a running process; its start time is null where it cannot be read. */
export function identify(pid: number): ProcessIdentity {
  return { pid, startTime: readEntry(pid)?.startTime ?? null }
}

/** Every process of the browser of a session's folder: its tree, and whatever carries its mark. */
export function collectBrowserProcesses(root: ProcessIdentity | null, directory: string): readonly ProcessEntry[] {
  const table = readProcessTable()
  const rootPid = root !== null && isProcessAlive(root) ? root.pid : null
  return collectTree(table, rootPid, (pid) => pid !== process.pid && isMarked(pid, directory))
}

/** Every process that says of itself whose browser it belongs to, by the folder of that session. */
export function collectMarkedProcesses(): ReadonlyMap<string, readonly ProcessEntry[]> {
  const found = new Map<string, ProcessEntry[]>()
  for (const entry of readProcessTable()) {
    if (entry.isZombie || entry.pid === process.pid) continue
    const directory = markOf(entry.pid)
    if (directory !== null) found.set(directory, [...(found.get(directory) ?? []), entry])
  }
  return found
}

/**
 * Kills every process of a browser, again until none is left: a process that forks while it is killed leaves one behind.
 * Each is killed by pid and start time, never by pid alone.
 * @returns how many there were
 */
export async function killBrowserProcesses(root: ProcessIdentity | null, directory: string, clock: Clock): Promise<number> {
  const known = new Map<string, ProcessEntry>()
  for (let round = 0; ; round += 1) {
    for (const entry of collectBrowserProcesses(root, directory)) known.set(`${entry.pid}/${entry.startTime}`, entry)
    const alive = [...known.values()].filter(isProcessAlive)
    if (alive.length === 0 && (root === null || !isProcessAlive(root))) return known.size
    for (const entry of alive) signalKill(entry.pid)
    if (alive.length === 0 && root !== null) signalKill(root.pid)
    await sleep(clock, Math.min(5 + round * 5, 100))
  }
}

function pids(): readonly number[] {
  try {
    return readdirSync('/proc').map(Number).filter(Number.isInteger)
  } catch {
    return [] // not Linux
  }
}

function readEntry(pid: number): ProcessEntry | null {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return null // it ended meanwhile, or there is no /proc
  }
}

/** By environment, which children inherit, or by arguments: a renderer's environment may be overwritten by its title. */
function isMarked(pid: number, directory: string): boolean {
  if (`\0${readText(`/proc/${pid}/environ`)}`.includes(`\0${BROWSER_MARK}=${directory}\0`)) return true
  return `${readText(`/proc/${pid}/cmdline`)}\0`.replaceAll('\0', ' ').includes(` --user-data-dir=${join(directory, 'profile')} `)
}

function markOf(pid: number): string | null {
  const prefix = `${BROWSER_MARK}=`
  const line = readText(`/proc/${pid}/environ`)
    .split('\0')
    .find((entry) => entry.startsWith(prefix))
  return line === undefined ? null : Buffer.from(line.slice(prefix.length), 'latin1').toString('utf8')
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return '' // ended, or another user's
  }
}

function canSignal(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function signalKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // it ended by itself
  }
}
