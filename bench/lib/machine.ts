import { availableParallelism, cpus, loadavg } from 'node:os'
import type { Machine } from './area.js'

/** This machine, and how busy it is at this moment. */
export function thisMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    node: process.versions.node,
    load: Number((loadavg()[0] ?? 0).toFixed(2)),
  }
}
