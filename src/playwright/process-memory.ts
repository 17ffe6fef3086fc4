import { readFileSync } from 'node:fs'
import type { ProcessIdentity } from '../sessions/ports.js'
import { collectTree, isProcessAlive, readProcessTable } from './process-tree.js'

/** What a process has in memory, in bytes: its own, what it shares with others by name, and what it maps of files. */
export interface ResidentMemory {
  readonly anonymous: number
  readonly shared: number
  readonly files: number
}

const NOTHING: ResidentMemory = { anonymous: 0, shared: 0, files: 0 }

/**
 * Resident memory of a process and of all below it, in bytes. The processes of a browser map the same program: of their files the
 * largest counts, once (their plain sum is three to four times what they take). Null where it cannot be read, or the process is gone.
 */
export function readTreeMemory(root: ProcessIdentity): number | null {
  if (root.startTime === null || !isProcessAlive(root)) return null
  const tree = collectTree(readProcessTable(), root.pid, () => false)
  return sumOfTree(tree.map(({ pid }) => read(pid)))
}

/** Pure. */
export function sumOfTree(processes: readonly ResidentMemory[]): number {
  const own = processes.reduce((sum, { anonymous, shared }) => sum + anonymous + shared, 0)
  return own + Math.max(0, ...processes.map(({ files }) => files))
}

/** Reads `RssAnon`, `RssShmem` and `RssFile` of `/proc/<pid>/status`; what is not there counts nothing. Pure. */
export function parseResident(status: string): ResidentMemory {
  const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) * 1_024
  return { anonymous: bytes('RssAnon'), shared: bytes('RssShmem'), files: bytes('RssFile') }
}

function read(pid: number): ResidentMemory {
  try {
    return parseResident(readFileSync(`/proc/${pid}/status`, 'latin1'))
  } catch {
    return NOTHING // it ended meanwhile
  }
}
