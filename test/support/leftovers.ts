import { readdir, readFile, readlink } from 'node:fs/promises'

/** Processes that descend from a pid, by pid and command line; read from /proc. */
export async function descendants(rootPid: number): Promise<readonly { pid: number; command: string }[]> {
  const processes = await allProcesses()
  const found: { pid: number; command: string }[] = []
  const isBelow = new Set([rootPid])
  for (let grew = true; grew; ) {
    grew = false
    for (const { pid, parent, command } of processes) {
      if (isBelow.has(pid) || !isBelow.has(parent)) continue
      isBelow.add(pid)
      found.push({ pid, command })
      grew = true
    }
  }
  return found
}

/** Every process whose environment or command line names a folder of ours. */
export async function processesNaming(text: string): Promise<readonly { pid: number; command: string }[]> {
  return (await allProcesses()).filter(({ command, pid }) => pid !== process.pid && command.includes(text))
}

/** Ports on which a process listens over TCP. */
export async function listeningPorts(pid: number): Promise<readonly number[]> {
  const inodes = new Set<string>()
  for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
    const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1]
    if (inode !== undefined) inodes.add(inode)
  }
  const ports: number[] = []
  for (const table of ['tcp', 'tcp6']) {
    for (const line of (await readFile(`/proc/net/${table}`, 'utf8').catch(() => '')).split('\n').slice(1)) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/)
      if (state === '0A' && inode !== undefined && inodes.has(inode)) ports.push(Number.parseInt(local?.split(':')[1] ?? '', 16))
    }
  }
  return ports
}

async function allProcesses(): Promise<readonly { pid: number; parent: number; command: string }[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const read = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
      const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ').trim()
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
      return { pid, parent, command }
    }),
  )
  return read.filter(({ parent }) => Number.isFinite(parent))
}
