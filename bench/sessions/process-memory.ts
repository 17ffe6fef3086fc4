import { readdirSync, readFileSync } from 'node:fs'

const MB = 1_048_576
const KB = 1_024

/** Memory of a process with all of its descendants, in MiB. Linux. */
export interface TreeMemory {
  /** What each has resident: pages that several share are counted for each. */
  readonly rssMb: number
  /** The same with shared pages divided among those that share them. */
  readonly pssMb: number
}

export function treeMemory(pid: number): TreeMemory {
  let [rss, pss] = [0, 0]
  for (const each of treeOf(pid)) {
    const fields = read(`/proc/${each}/smaps_rollup`)
    rss += kilobytes(fields, 'Rss')
    pss += kilobytes(fields, 'Pss')
  }
  return { rssMb: (rss * KB) / MB, pssMb: (pss * KB) / MB }
}

function treeOf(root: number): number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = read(`/proc/${name}/stat`)
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
    children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const tree = [root]
  for (const pid of tree) tree.push(...(children.get(pid) ?? []))
  return tree
}

const kilobytes = (fields: string, name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(fields)?.[1] ?? 0)

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return '' // gone meanwhile
  }
}
