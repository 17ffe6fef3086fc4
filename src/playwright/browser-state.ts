import type { BrowserContext, Page } from 'playwright-core'
import type { Clock } from '../runtime/index.js'
import type { BrowserState } from '../sessions/browser-state.js'
import { originOf, readTabStorage, restoreTabStorage, visitOrigins } from './session-storage.js'

type StorageState = Exclude<Parameters<BrowserContext['setStorageState']>[0], string>

export const NO_STATE: BrowserState = { cookies: [], origins: [], sessionStorage: [], knownOrigins: [] }

/** What sites have stored in a browser: given back at its launch, and read while it runs. */
export class BrowserStateKeeper {
  readonly #context: BrowserContext
  readonly #clock: Clock
  #restored: BrowserState
  /** Origins that a tab has shown since the launch: what was restored of their sessionStorage is what they make of it now. */
  readonly #shown = new Set<string>()

  constructor(parts: { readonly context: BrowserContext; readonly clock: Clock; readonly restored: BrowserState | null }) {
    this.#context = parts.context
    this.#clock = parts.clock
    this.#restored = parts.restored ?? NO_STATE
  }

  /** Puts the state back, before anybody sees a page, and begins to follow what is shown. Part of the launch. */
  async restore(): Promise<void> {
    const { cookies, origins, sessionStorage, knownOrigins } = this.#restored
    // `setStorageState` forgets the cookies that are there: those of a user-data folder must stay
    if (origins.length > 0) await this.#context.setStorageState({ cookies, origins } as unknown as StorageState)
    else if (cookies.length > 0) await this.#context.addCookies(cookies as StorageState['cookies'])
    await restoreTabStorage(this.#context, sessionStorage)
    // Playwright reads the storage of origins that it has seen
    const withTabs = new Set(sessionStorage.map(({ origin }) => origin))
    await visitOrigins(
      this.#context,
      knownOrigins.filter((origin) => originOf(`${origin}/`) === origin && !withTabs.has(origin)),
    )
    for (const page of this.#context.pages()) this.#follow(page)
    this.#context.on('page', (page) => this.#follow(page))
  }

  /** Cookies, localStorage and IndexedDB of every origin that was visited or restored, and sessionStorage of the open documents. */
  async read(signal: AbortSignal): Promise<BrowserState> {
    const sessionStorage = await readTabStorage(this.#context.pages(), this.#clock, signal)
    const { cookies, origins } = await this.#context.storageState({ indexedDB: true })
    signal.throwIfAborted()
    const unseen = this.#restored.sessionStorage.filter(({ origin }) => !this.#shown.has(origin))
    const seen = sessionStorage.filter(({ origin, items }) => items.length > 0 && !unseen.some((tab) => tab.origin === origin))
    const state = { cookies, origins, sessionStorage: [...unseen, ...seen], knownOrigins: this.#restored.knownOrigins }
    return state as unknown as BrowserState
  }

  /** What was restored and not visited since counts no more: the browser was emptied. */
  forget(): void {
    this.#restored = NO_STATE
  }

  #follow(page: Page): void {
    page.on('framenavigated', (frame) => {
      const origin = originOf(frame.url())
      if (origin !== null) this.#shown.add(origin)
    })
  }
}
