import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { type Clock, type ProcessRunner, withDeadline } from '../runtime/index.js'

const ANSWER_TIMEOUT_MS = 2_000
const MAX_ANSWER_CHARS = 4_096

/** Looks for programs on a search path, and asks them what they are. */
export class Programs {
  readonly #path: string
  readonly #processRunner: ProcessRunner
  readonly #clock: Clock

  /** @param options `path` is a search path as in `PATH`; the default is this process's own. */
  constructor(options: { readonly processRunner: ProcessRunner; readonly clock: Clock; readonly path?: string | undefined }) {
    this.#path = options.path ?? process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin'
    this.#processRunner = options.processRunner
    this.#clock = options.clock
  }

  /** The search path that programs get. */
  get path(): string {
    return this.#path
  }

  /** Full path of the first executable file of that name. */
  async find(name: string): Promise<string | undefined> {
    for (const folder of this.#path.split(delimiter)) {
      if (folder === '') continue
      const file = join(folder, name)
      if (await isExecutable(file)) return file
    }
    return undefined
  }

  /** Runs a program that answers at once; its exit code and what it wrote. Null code: it did not run, or took too long. */
  async ask(command: string, args: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }> {
    const child = this.#processRunner.spawn(command, args, { env: { PATH: this.#path }, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const collect = (chunk: Buffer) => {
      if (output.length < MAX_ANSWER_CHARS) output += chunk.toString('latin1')
    }
    child.stdout?.on('data', collect)
    child.stderr?.on('data', collect)
    const ended = new Promise<number | null>((resolve) => {
      child.once('error', () => resolve(null))
      child.once('close', (code) => resolve(code))
    })
    try {
      const code = await withDeadline({
        run: () => ended,
        timeoutMs: ANSWER_TIMEOUT_MS,
        onTimeout: () => new Error('no answer'),
        clock: this.#clock,
      })
      return { code, output }
    } catch {
      // a program that hangs on a question is as good as none
      child.kill('SIGKILL')
      return { code: null, output }
    }
  }
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
