import { readFileSync } from 'node:fs'
import type { ProcessIdentity } from '../sessions/ports.js'
import { collectTree, isProcessAlive, readProcessTable } from './process-tree.js'

/**
 * Resident memory of a process and of all below it, in bytes: the sum of `VmRSS`, so that pages which they share count in each.
 * Null where it cannot be read, or the process is gone.
 */
export function readTreeMemory(root: ProcessIdentity): number | null {
  if (root.startTime === null || !isProcessAlive(root)) return null
  const tree = collectTree(readProcessTable(), root.pid, () => false)
  return tree.reduce((sum, { pid }) => sum + residentBytes(pid), 0)
}

/** Reads `VmRSS:     1234 kB` of `/proc/<pid>/status`; 0 where there is none: it ended meanwhile. Pure. */
export function parseResident(status: string): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]
  return kilobytes === undefined ? 0 : Number(kilobytes) * 1_024
}

function residentBytes(pid: number): number {
  try {
    return parseResident(readFileSync(`/proc/${pid}/status`, 'latin1'))
  } catch {
    return 0 // it ended meanwhile
  }
}
