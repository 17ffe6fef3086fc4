import type { AnyEvent, WorkflowDefinitionInput } from 'runwright'

const BAR_WIDTH = 24
const COLORS = { ok: 32, bad: 31, dim: 2 } as const

export interface ProgressPrinterOptions {
  readonly stream: NodeJS.WriteStream
  readonly nowMs: () => number
}

/** Prints each event as one line; below them, where the terminal is one, a bar over the blocks of the run. */
export class ProgressPrinter {
  readonly #stream: NodeJS.WriteStream
  readonly #nowMs: () => number
  readonly #startedMs: number
  #total = 0
  #done = 0
  #current = ''
  #hasBar = false
  count = 0

  constructor(options: ProgressPrinterOptions) {
    this.#stream = options.stream
    this.#nowMs = options.nowMs
    this.#startedMs = options.nowMs()
  }

  /** A line of its own, with the time since the start. */
  say(text: string): void {
    this.#print(`${this.#elapsed()}  ${text}`)
  }

  /** Sets the bar to a new run; loops count as one block. */
  beginRun(definition: WorkflowDefinitionInput): void {
    this.#total = definition.blocks.length
    this.#done = 0
    this.#current = ''
  }

  onEvent(event: AnyEvent): void {
    this.count++
    this.#track(event)
    const type = event.type.padEnd(18)
    const color = /failed|lost|blocked|refused|timed_out/.test(event.type)
      ? COLORS.bad
      : /completed/.test(event.type)
        ? COLORS.ok
        : COLORS.dim
    this.#print(`${this.#elapsed()}  ${this.#paint(type, color)} ${describe(event)}`)
  }

  /** Takes the bar away. */
  end(): void {
    this.#clearBar()
    this.#total = 0
  }

  #track(event: AnyEvent): void {
    if (!event.type.startsWith('block.')) return
    const { label, parentRunBlockId } = event.payload as { label: string; parentRunBlockId: string | null }
    if (event.type === 'block.started') this.#current = label
    else if (parentRunBlockId === null && /completed|failed|terminated|canceled|timed_out/.test(event.type)) this.#done++
  }

  #print(line: string): void {
    this.#clearBar()
    this.#stream.write(`${line}\n`)
    this.#drawBar()
  }

  #drawBar(): void {
    if (!this.#stream.isTTY || this.#total === 0) return
    const filled = Math.round((BAR_WIDTH * Math.min(this.#done, this.#total)) / this.#total)
    const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled)
    this.#stream.write(`          ${bar} ${this.#done}/${this.#total} blocks  ${this.#current}`)
    this.#hasBar = true
  }

  #clearBar(): void {
    if (this.#hasBar) this.#stream.write('\r\u001b[2K')
    this.#hasBar = false
  }

  #elapsed(): string {
    return this.#paint(`${((this.#nowMs() - this.#startedMs) / 1_000).toFixed(2).padStart(6)} s`, COLORS.dim)
  }

  #paint(text: string, color: number): string {
    return this.#stream.isTTY ? `\u001b[${color}m${text}\u001b[0m` : text
  }
}

/** What an event is about, in a few words. */
function describe(event: AnyEvent): string {
  const payload = event.payload as Record<string, unknown>
  const milliseconds = typeof payload.durationMs === 'number' ? `  ${Math.round(payload.durationMs)} ms` : ''
  const error = payload.error as { message: string } | null | undefined
  const reason = payload.failureReason ?? payload.reason ?? error?.message
  const why = typeof reason === 'string' ? `  ${reason}` : ''
  if (event.type.startsWith('block.')) {
    const index = payload.currentIndex === null ? '' : `  #${Number(payload.currentIndex) + 1}`
    const progress = event.type === 'block.progressed' ? `  ${payload.done}/${payload.total}` : ''
    return `${payload.label} (${payload.type})${index}${progress}${milliseconds}${why}`
  }
  if (event.type.startsWith('action.')) return `  ${payload.intention ?? payload.description}${milliseconds}${why}`
  if (event.type.startsWith('artifact.')) return `${payload.type} ${payload.filename}  ${payload.size} bytes`
  if (event.type.startsWith('run.')) return `${payload.workflowTitle ?? payload.workflowRunId}${why}`
  if (event.type.startsWith('workflow.')) return String(payload.title ?? payload.workflowPermanentId)
  const detail = payload.runnableId ?? payload.displayBackend ?? payload.backend ?? payload.closeReason ?? payload.scope ?? ''
  return `${payload.browserSessionId ?? ''}  ${detail}${why}`.trimEnd()
}
