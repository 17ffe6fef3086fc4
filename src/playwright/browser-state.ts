import type { BrowserContext, Page } from 'playwright-core'
import type { Clock } from '../runtime/index.js'
import type { BrowserState } from '../sessions/browser-state.js'
import { originOf, readTabStorage, restoreTabStorage, visitOrigins } from './session-storage.js'

type StateCookies = BrowserState['cookies']
type StorageState = Exclude<Parameters<BrowserContext['setStorageState']>[0], string>

export const NO_STATE: BrowserState = { cookies: [], origins: [], sessionStorage: [], knownOrigins: [] }

/** What sites have stored in a browser: given back at its launch, and read while it runs. */
export class BrowserStateKeeper {
  readonly #context: BrowserContext
  readonly #clock: Clock
  readonly #fills: boolean
  #restored: BrowserState
  /** Origins that a tab has shown since the launch: what was restored of their sessionStorage is what they make of it now. */
  readonly #shown = new Set<string>()

  /** @param parts.spec - `state` is what is put back; with `fillsState`, only where there is nothing of it */
  constructor(parts: {
    readonly context: BrowserContext
    readonly clock: Clock
    readonly spec: { readonly state?: BrowserState | null; readonly fillsState?: boolean }
  }) {
    this.#context = parts.context
    this.#clock = parts.clock
    this.#restored = parts.spec.state ?? NO_STATE
    this.#fills = parts.spec.fillsState === true
  }

  /** Puts the state back, before anybody sees a page, and begins to follow what is shown. Part of the launch. */
  async restore(): Promise<void> {
    if (this.#fills) await this.#fill()
    else await this.#replace()
    for (const page of this.#context.pages()) this.#follow(page)
    this.#context.on('page', (page) => this.#follow(page))
  }

  async #replace(): Promise<void> {
    const { cookies, origins, sessionStorage, knownOrigins } = this.#restored
    // `setStorageState` forgets the cookies that are there: those of a user-data folder must stay
    if (origins.length > 0) await this.#context.setStorageState({ cookies, origins } as unknown as StorageState)
    else if (cookies.length > 0) await this.#context.addCookies(cookies as StorageState['cookies'])
    await restoreTabStorage(this.#context, sessionStorage)
    // Playwright reads the storage of origins that it has seen
    const withTabs = new Set(sessionStorage.map(({ origin }) => origin))
    await visitOrigins(
      this.#context,
      knownOrigins.filter((origin) => isOrigin(origin) && !withTabs.has(origin)),
    )
  }

  /**
   * Into a user-data folder that was in use, and whose browser may have been killed before it wrote cookies and localStorage down: what is
   * there stays. IndexedDB needs nothing: its writes are with the system at once.
   */
  async #fill(): Promise<void> {
    const { cookies, origins, sessionStorage, knownOrigins } = this.#restored
    const missing = missingCookies(cookies, (await this.#context.cookies()) as StateCookies)
    if (missing.length > 0) await this.#context.addCookies(missing as StorageState['cookies'])
    const tabs = new Map(sessionStorage.map(({ origin, items }) => [origin, items]))
    const sites = new Map(origins.map(({ origin, localStorage = [] }) => [origin, localStorage]))
    // all of them, as Playwright reads the storage of origins that it has seen
    const all = new Set([...sites.keys(), ...tabs.keys(), ...knownOrigins])
    await visitOrigins(this.#context, [...all].filter(isOrigin), async (page, origin) => {
      await page.evaluate(`(${FILL})(${JSON.stringify(sites.get(origin) ?? [])}, ${JSON.stringify(tabs.get(origin) ?? [])})`)
    })
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

const isOrigin = (origin: string) => originOf(`${origin}/`) === origin

const FILL = `(items, tabItems) => {
  if (localStorage.length === 0) for (const { name, value } of items) localStorage.setItem(name, value)
  for (const [key, value] of tabItems) sessionStorage.setItem(key, value)
}`

/** Those of a state that a browser has under no value. Pure. */
export function missingCookies(state: StateCookies, present: StateCookies): StateCookies {
  const keyOf = ({ name, domain, path, partitionKey = '' }: StateCookies[number]) => JSON.stringify([name, domain, path, partitionKey])
  const keys = new Set(present.map(keyOf))
  return state.filter((cookie) => !keys.has(keyOf(cookie)))
}
