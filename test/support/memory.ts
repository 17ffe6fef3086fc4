import * as v8 from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Bytes of the heap that are in use after everything that can be collected has been. */
export function heapAfterCollection(): number {
  v8.setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect() // finalisers of the first round may have let go of more
  return process.memoryUsage().heapUsed
}

/** How many objects of a class are still reachable; the heap is collected first. */
export function reachable(type: abstract new (...args: never[]) => unknown): number {
  return v8.queryObjects(type as never, { format: 'count' }) as unknown as number
}
