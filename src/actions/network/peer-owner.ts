import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { ProcessIdentity } from '../../sessions/ports.js'

/** A connection as the client sees it: its own port on loopback, and the port that it connected to. */
export interface PeerPorts {
  readonly clientPort: number
  readonly serverPort: number
}

/** What the tables of this machine say; replaced in tests. */
export interface ProcReader {
  /** Text of `/proc/net/tcp` or `/proc/net/tcp6`; empty where it cannot be read. */
  sockets(file: 'tcp' | 'tcp6'): Promise<string>
  /** Inodes of the sockets that a process has open; empty when it is gone or not ours to look at. */
  openSockets(pid: number): ReadonlySet<string>
  /** Every process with its parent. */
  parents(): ReadonlyMap<number, number>
  startTime(pid: number): string | null
  readonly uid: number | undefined
}

/**
 * Tells whether a connection on loopback comes from a process or one of its descendants: the row of the connection in `/proc/net/tcp` has
 * the inode of the client's socket, and that socket has to be open in one of them. What cannot be told counts as a stranger.
 */
export class PeerOwner {
  readonly #proc: ProcReader
  #root: ProcessIdentity | null = null
  /** The process that connections came from last: with Chromium nearly always the same one. */
  #usual: number | null = null
  /** The look at the table that newcomers share: one that begins after they have come. */
  #next: Promise<string> | null = null
  #current: Promise<unknown> = Promise.resolve()

  constructor(proc: ProcReader = linuxProc) {
    this.#proc = proc
  }

  /** Whose connections are its own from here on. */
  admit(root: ProcessIdentity): void {
    this.#root = root
    this.#usual = null
  }

  /** Never rejects. */
  async owns(peer: PeerPorts): Promise<boolean> {
    if (this.#root === null) return false
    try {
      const row = findRow(await this.#table(), peer)
      if (row === null || (this.#proc.uid !== undefined && row.uid !== this.#proc.uid)) return false
      return this.#isOpenInside(row.inode)
    } catch {
      return false // fail closed
    }
  }

  #isOpenInside(inode: string): boolean {
    const root = this.#root
    if (root === null || !this.#isSame(root)) return false
    if (this.#usual !== null && this.#proc.openSockets(this.#usual).has(inode)) return true
    const owner = this.#tree(root.pid).find((pid) => this.#proc.openSockets(pid).has(inode))
    this.#usual = owner ?? null
    return owner !== undefined
  }

  /** A process id is used again after its process is gone. */
  #isSame({ pid, startTime }: ProcessIdentity): boolean {
    const now = this.#proc.startTime(pid)
    return now !== null && (startTime === null || now === startTime)
  }

  /** The process and everything below it. */
  #tree(root: number): number[] {
    const parents = this.#proc.parents()
    const tree = new Set([root])
    let size = 0
    while (size !== tree.size) {
      size = tree.size
      for (const [pid, parent] of parents) if (tree.has(parent)) tree.add(pid)
    }
    return [...tree]
  }

  /** Both tables, read after the call: connections that come together share one look. */
  #table(): Promise<string> {
    this.#next ??= this.#current.then(async () => {
      this.#next = null
      const [tcp, tcp6] = await Promise.all([this.#proc.sockets('tcp'), this.#proc.sockets('tcp6')])
      return `${tcp}\n${tcp6}`
    })
    const table = this.#next
    this.#current = table.catch(() => {}) // those who wait for it hear of it
    return table
  }
}

const LOOPBACK = '0100007F'
const MAPPED_LOOPBACK = '0000000000000000FFFF00000100007F'

/** The row of the client's end. Addresses are in the machine's byte order, which is little-endian wherever Chromium runs. */
export function findRow(table: string, { clientPort, serverPort }: PeerPorts): { readonly uid: number; readonly inode: string } | null {
  const [client, server] = [portText(clientPort), portText(serverPort)]
  for (const address of [LOOPBACK, MAPPED_LOOPBACK]) {
    const ends = ` ${address}:${client} ${address}:${server} `
    const at = table.indexOf(ends)
    if (at === -1) continue
    const [state, , , , uid, , inode] = table
      .slice(at + ends.length, table.indexOf('\n', at + ends.length) >>> 0)
      .trim()
      .split(/\s+/)
    // an inode of 0 belongs to a socket that no process has open any more
    if (state === '01' && uid !== undefined && inode !== undefined && inode !== '0') return { uid: Number(uid), inode }
  }
  return null
}

const portText = (port: number) => port.toString(16).toUpperCase().padStart(4, '0')

const linuxProc: ProcReader = {
  sockets: (file) => readFile(`/proc/net/${file}`, 'latin1').catch(() => ''),
  openSockets: (pid) => {
    const inodes = new Set<string>()
    for (const fd of tryTo(() => readdirSync(`/proc/${pid}/fd`)) ?? []) {
      const link = tryTo(() => readlinkSync(`/proc/${pid}/fd/${fd}`))
      if (link?.startsWith('socket:[')) inodes.add(link.slice(8, -1))
    }
    return inodes
  },
  parents: () => {
    const parents = new Map<number, number>()
    for (const name of tryTo(() => readdirSync('/proc')) ?? []) {
      const parent = /^\d+$/.test(name) ? Number(fieldsOf(Number(name))?.[1]) : Number.NaN
      if (Number.isInteger(parent)) parents.set(Number(name), parent)
    }
    return parents
  },
  startTime: (pid) => fieldsOf(pid)?.[19] ?? null,
  uid: process.getuid?.(),
}

/** What follows the name in `/proc/<pid>/stat`: state, parent …; the start time is the twentieth. */
function fieldsOf(pid: number): string[] | null {
  const stat = tryTo(() => readFileSync(`/proc/${pid}/stat`, 'latin1'))
  return stat === null ? null : stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function tryTo<T>(read: () => T): T | null {
  try {
    return read()
  } catch {
    return null // it is gone, or not ours to look at
  }
}
