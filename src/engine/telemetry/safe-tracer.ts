import type { Logger } from '../../runtime/index.js'
import type { Attributes, Span, SpanContextOf, Tracer } from '../run-ports.js'

/** How a span ended. */
export interface SpanEnd {
  /** `unset`: neither well nor badly, as for what was canceled. */
  readonly status: 'ok' | 'error' | 'unset'
  /** What went wrong. */
  readonly failure?: { readonly code: string | null; readonly reason: string } | undefined
  readonly attributes?: Attributes
  readonly at: Date
}

/** A span that is open, or one that could not be opened. */
export interface OpenSpan {
  readonly span: Span | null
}

export interface OpenSpanParams {
  readonly name: string
  readonly attributes: Attributes
  readonly at: Date
  readonly parent: OpenSpan | null
}

const STATUS_CODES = { unset: 0, ok: 1, error: 2 } as const

/** The host's tracer, whose faults are nobody's: the first one is logged. */
export class SafeTracer {
  readonly #tracer: Tracer
  readonly #contextOf: SpanContextOf | undefined
  readonly #logger: Logger
  #hasFailed = false

  constructor(options: { readonly tracer: Tracer; readonly spanContext?: SpanContextOf | undefined; readonly logger: Logger }) {
    this.#tracer = options.tracer
    this.#contextOf = options.spanContext
    this.#logger = options.logger
  }

  /** Without a parent it is a root, wherever the host's own code stands at this moment. */
  open({ name, attributes, at, parent }: OpenSpanParams): OpenSpan {
    const context = this.#contextIn(parent?.span ?? null)
    const root = context === undefined ? { root: true } : {}
    const span = this.#try(() => this.#tracer.startSpan(name, { attributes, startTime: at, ...root }, context))
    return { span: span ?? null }
  }

  close({ span }: OpenSpan, { status, failure, attributes = {}, at }: SpanEnd): void {
    if (span === null) return
    this.#try(() => {
      for (const [key, value] of Object.entries(attributes)) span.setAttribute(key, value)
      if (failure !== undefined) span.recordException(exceptionOf(failure))
      if (status !== 'unset') span.setStatus({ code: STATUS_CODES[status], ...(failure?.code ? { message: failure.code } : {}) })
    })
    this.#try(() => span.end(at)) // whatever became of the rest: a span that does not end is never seen
  }

  #contextIn(parent: Span | null): unknown {
    const contextOf = this.#contextOf
    return parent === null || contextOf === undefined ? undefined : this.#try(() => contextOf(parent))
  }

  #try<T>(work: () => T): T | undefined {
    try {
      return work()
    } catch (error) {
      if (!this.#hasFailed) this.#logger.warn('the tracer failed; what it fails at from here on is not logged', { error })
      this.#hasFailed = true
      return undefined
    }
  }
}

/** The failure as an exception; its stack would be that of these lines. */
function exceptionOf({ code, reason }: { readonly code: string | null; readonly reason: string }): Error {
  const error = new Error(reason)
  error.name = code ?? 'Error'
  error.stack = ''
  return error
}
