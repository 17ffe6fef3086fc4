import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StreamingError } from '../errors/index.js'
import { currentProcessSpace, identifyProcess, type Random } from '../runtime/index.js'
import { type DisplayOwner, writeOwnerFile } from './owner-file.js'
import { X_COOKIE_BYTES, xAuthorityFile } from './x-authority.js'

/** How the directories of displays begin, below the system's folder for temporary files. */
export const DISPLAY_DIRECTORY_PREFIX = 'runwright-display-'
/** Longest path that a unix socket can have on Linux, its terminating zero apart. */
const MAX_SOCKET_PATH_BYTES = 107

/** The private directory (mode 0700) of one display: cookie file, RFB socket, and who owns it. */
export class DisplayDirectory {
  readonly path: string
  readonly rfbSocketPath: string
  readonly xAuthorityPath: string
  readonly #owner: DisplayOwner

  private constructor(path: string, owner: DisplayOwner) {
    this.path = path
    this.rfbSocketPath = join(path, 'rfb')
    this.xAuthorityPath = join(path, 'xauth')
    this.#owner = owner
  }

  static async create(params: {
    readonly hostId: string
    readonly browserSessionId: string
    readonly random: Random
    readonly parent?: string | undefined
    readonly detached?: boolean | undefined
  }): Promise<DisplayDirectory> {
    const path = await mkdtemp(join(params.parent ?? tmpdir(), DISPLAY_DIRECTORY_PREFIX)) // mkdtemp makes it 0700
    const directory = new DisplayDirectory(path, {
      version: 1,
      hostId: params.hostId,
      browserSessionId: params.browserSessionId,
      ...(params.detached === true ? { detached: true } : {}),
      owner: identifyProcess(process.pid),
      space: currentProcessSpace(),
      display: null,
    })
    try {
      await directory.#prepare(params.random)
    } catch (error) {
      await directory.remove()
      throw error
    }
    return directory
  }

  /** Makes a directory that another process has made this one's. */
  static async takeOver(path: string, owner: DisplayOwner, hostId: string): Promise<DisplayDirectory> {
    const own = { ...owner, hostId, owner: identifyProcess(process.pid), space: currentProcessSpace() }
    await writeOwnerFile(path, own)
    return new DisplayDirectory(path, own)
  }

  /** Where a process without a host to talk to writes what it has to say. */
  get logPath(): string {
    return join(this.path, 'server.log')
  }

  /** Writes down what runs for the display, so that a later host can end what this one had to leave. */
  async recordDisplay(displayNumber: number, pids: readonly number[]): Promise<void> {
    const socketPath = `/tmp/.X11-unix/X${displayNumber}`
    const inode = await stat(socketPath).then(
      (found) => found.ino,
      () => null, // the server was told not to make one
    )
    const xSocket = inode === null ? null : { path: socketPath, inode }
    await writeOwnerFile(this.path, { ...this.#owner, display: { displayNumber, processes: pids.map(identifyProcess), xSocket } })
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
  }

  async #prepare(random: Random): Promise<void> {
    if (Buffer.byteLength(this.rfbSocketPath) > MAX_SOCKET_PATH_BYTES) {
      throw new StreamingError(`${this.rfbSocketPath} is too long for a unix socket; set TMPDIR to a shorter path`, {
        code: 'DISPLAY_START_FAILED',
        details: { path: this.rfbSocketPath, maximumBytes: MAX_SOCKET_PATH_BYTES },
      })
    }
    await writeOwnerFile(this.path, this.#owner)
    await writeFile(this.xAuthorityPath, xAuthorityFile(random.bytes(X_COOKIE_BYTES)), { mode: 0o600 })
  }
}
