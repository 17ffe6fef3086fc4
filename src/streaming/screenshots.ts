import { StreamingError } from '../errors/index.js'
import type { Clock } from '../runtime/index.js'
import type { SessionView } from './session-view.js'

/** A picture of a session's active page. */
export interface Screenshot {
  readonly data: Buffer
  readonly contentType: 'image/png' | 'image/jpeg'
  readonly takenAt: Date
}

export interface TakeScreenshotParams {
  readonly browserSessionId: string
  readonly format: 'png' | 'jpeg'
  readonly quality: number
  readonly signal?: AbortSignal | undefined
}

/** The views that the pool has registered, and pictures through them. */
export class Screenshots {
  readonly #views = new Map<string, SessionView>()
  readonly #clock: Clock

  constructor(options: { readonly clock: Clock }) {
    this.#clock = options.clock
  }

  /** Replaces a view registered earlier; the returned function takes back this one only. */
  register(browserSessionId: string, view: SessionView): () => void {
    this.#views.set(browserSessionId, view)
    return () => {
      if (this.#views.get(browserSessionId) === view) this.#views.delete(browserSessionId)
    }
  }

  unregister(browserSessionId: string): void {
    this.#views.delete(browserSessionId)
  }

  async take(params: TakeScreenshotParams): Promise<Screenshot> {
    const { browserSessionId, format, quality, signal } = params
    const view = this.#views.get(browserSessionId)
    if (view === undefined) {
      throw new StreamingError(`Session ${browserSessionId} has no browser on this host of which a picture could be taken`, {
        code: 'STREAM_UNAVAILABLE',
        details: { browserSessionId },
      })
    }
    const data = await view.screenshot({ format, ...(format === 'jpeg' ? { quality } : {}), ...(signal ? { signal } : {}) })
    return { data, contentType: `image/${format}`, takenAt: this.#clock.now() }
  }
}
