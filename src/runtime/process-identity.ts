import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** What tells a process from every other one of its machine, past and future. */
export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks since boot, from `/proc/<pid>/stat`; null where that cannot be read. */
  readonly startTime: string | null
}

/** Where a process id means something: one boot of one machine, one pid namespace. */
export interface ProcessSpace {
  readonly machine: string
  readonly bootId: string | null
  readonly pidNamespace: string | null
}

/** Whether process ids of one space mean the same in the other. */
export const isSameSpace = (one: ProcessSpace, other: ProcessSpace): boolean =>
  one.machine === other.machine && one.bootId === other.bootId && one.pidNamespace === other.pidNamespace

/** The space of this process. */
export function currentProcessSpace(): ProcessSpace {
  return {
    machine: hostname(),
    bootId: tryRead(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()),
    pidNamespace: tryRead(() => readlinkSync('/proc/self/ns/pid')),
  }
}

export function identifyProcess(pid: number): ProcessIdentity {
  return { pid, startTime: startTimeOf(pid) }
}

/** Whether that very process still runs. A zombie does not. Unknown start times count as the same process: nothing is killed on a guess. */
export function isAlive(recorded: ProcessIdentity): boolean {
  const stat = statOf(recorded.pid)
  if (stat === null) return false
  if (stat.state === 'Z' || stat.state === 'X') return false
  return recorded.startTime === null || recorded.startTime === stat.startTime
}

function startTimeOf(pid: number): string | null {
  return statOf(pid)?.startTime ?? null
}

function statOf(pid: number): { state: string; startTime: string } | null {
  const stat = tryRead(() => readFileSync(`/proc/${pid}/stat`, 'latin1'))
  if (stat === null) return null
  // the name in parentheses may hold anything, so fields are counted after the last one: state is field 3, start time field 22
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state, startTime] = [fields[0], fields[19]]
  return state === undefined || startTime === undefined ? null : { state, startTime }
}

function tryRead(read: () => string): string | null {
  try {
    return read()
  } catch {
    return null // no such process, or no /proc
  }
}
