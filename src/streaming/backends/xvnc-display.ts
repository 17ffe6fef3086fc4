import type { Display } from '../display.js'
import type { DisplayDirectory } from '../display-directory.js'
import { chromiumDisplayArgs } from '../display-size.js'
import type { DisplayProcesses } from '../process-chain.js'

export interface XvncDisplayParams {
  readonly chain: DisplayProcesses
  /** Whether it may outlive this process. */
  readonly isDetached?: boolean
  readonly directory: DisplayDirectory
  readonly displayNumber: number
  readonly size: { readonly width: number; readonly height: number }
}

/** A running Xvnc. */
export class XvncDisplay implements Display {
  readonly backend = 'xvnc'
  readonly displayNumber: number
  readonly width: number
  readonly height: number
  readonly env: Display['env']
  readonly launchArgs: readonly string[]
  readonly rfbSocketPath: string
  readonly directory: string
  readonly leave?: () => void
  readonly #chain: DisplayProcesses
  readonly #directory: DisplayDirectory
  readonly #listeners = new Set<(reason: string) => void>()
  #lostReason: string | undefined
  #stopping: Promise<void> | undefined

  constructor(params: XvncDisplayParams) {
    this.displayNumber = params.displayNumber
    this.width = params.size.width
    this.height = params.size.height
    this.env = { DISPLAY: `:${params.displayNumber}`, XAUTHORITY: params.directory.xAuthorityPath }
    this.launchArgs = chromiumDisplayArgs(params.size)
    this.rfbSocketPath = params.directory.rfbSocketPath
    this.directory = params.directory.path
    this.#chain = params.chain
    this.#directory = params.directory
    if (params.isDetached === true) this.leave = () => this.#leave()
    params.chain.onExit((process, exit) => this.#onLost(`${process.name} ${exit.reason}`))
  }

  get pids(): readonly number[] {
    return this.#chain.pids
  }

  onExit(listener: (reason: string) => void): () => void {
    const lostReason = this.#lostReason
    if (lostReason !== undefined) queueMicrotask(() => listener(lostReason))
    else this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#chain.stop().then(() => this.#directory.remove())
    return this.#stopping
  }

  #leave(): void {
    this.#listeners.clear()
    this.#chain.leave()
  }

  #onLost(reason: string): void {
    if (this.#lostReason !== undefined) return
    this.#lostReason = reason
    for (const listener of this.#listeners) listener(reason)
    this.#listeners.clear()
  }
}
