import type { Workflow } from '../engine/index.js'
import { DebugSessionConflictError, PoolSaturatedError } from '../errors/index.js'
import type { BrowserSession } from '../sessions/index.js'
import { type CommitResult, type DebugSessionRow, storageNow, type Write } from '../storage/index.js'
import type { DebugBrowsers } from './debug-browsers.js'
import type { DebugJournal } from './debug-journal.js'
import type { DebugSettings } from './debug-options.js'
import type { DebugPlace, DebugSession } from './debug-session.js'
import type { DebugSessionStore } from './debug-session-store.js'

/** How often a call begins again because others have changed the debug session meanwhile, or its new browser was lost. */
const ATTEMPTS = 5

/** One that is younger is as good as a new one. */
const YOUNG_MS = 30_000

/**
 * Makes, repairs and completes debug sessions. A browser is made first, and named by one commit, which the storage refuses to all but one:
 * whoever is refused closes the browser again and takes what the other has made.
 */
export class DebugSessionKeeper {
  readonly #settings: DebugSettings
  readonly #store: DebugSessionStore
  readonly #browsers: DebugBrowsers
  readonly #journal: DebugJournal
  /** What is under way in this process, by call and place: the same call joins it instead of making a browser in vain. */
  readonly #underWay = new Map<string, Promise<DebugSession>>()

  constructor(parts: {
    readonly settings: DebugSettings
    readonly store: DebugSessionStore
    readonly browsers: DebugBrowsers
    readonly journal: DebugJournal
  }) {
    this.#settings = parts.settings
    this.#store = parts.store
    this.#browsers = parts.browsers
    this.#journal = parts.journal
  }

  /** The live one, its browser renewed, or replaced where it is lost; else a new one. @throws {WorkflowNotFoundError} */
  getOrCreate(place: DebugPlace): Promise<DebugSession> {
    return this.#joined('get', place, (workflow) =>
      this.#attempt(place, async (live) => {
        if (live === undefined) return this.#make(place, workflow)
        return (await this.#browsers.isRenewed(live)) ? live : this.#move(live, workflow)
      }),
    )
  }

  /** A new one in the place of the live one, unless that is young and its browser alive. @throws {WorkflowNotFoundError} */
  recreate(place: DebugPlace): Promise<DebugSession> {
    return this.#joined('new', place, (workflow) =>
      this.#attempt(place, async (live) => {
        if (live === undefined) return this.#make(place, workflow)
        const ageMs = (await this.#settings.storage.now()).getTime() - live.createdAt.getTime()
        if (ageMs < YOUNG_MS && (await this.#browsers.isRenewed(live))) return live
        return this.#make(place, workflow, live)
      }),
    )
  }

  /** Ends one, and its browser. One that has ended is given back as it is. @throws {DebugSessionNotFoundError} */
  async complete(organizationId: string, debugSessionId: string): Promise<DebugSession> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const session = await this.#store.get(organizationId, debugSessionId)
      if (session.status === 'completed') return session
      const result = await this.#journal.commit(await this.#completing(session))
      if (!result.ok) continue
      await this.#browsers.leave(session)
      return rowOf(result)
    }
    throw this.#conflict(await this.#store.get(organizationId, debugSessionId))
  }

  async #joined(call: string, place: DebugPlace, work: (workflow: Workflow) => Promise<DebugSession>): Promise<DebugSession> {
    const { organizationId, userId, workflowPermanentId } = place
    const key = JSON.stringify([call, organizationId, userId, workflowPermanentId])
    const known = this.#underWay.get(key)
    if (known !== undefined) return known
    const done = this.#settings.engine
      .getWorkflow({ organizationId, workflowPermanentId })
      .then(work)
      .finally(() => this.#underWay.delete(key))
    this.#underWay.set(key, done)
    return done
  }

  /** Looks and acts until what was done was done to what was seen. Null of `act`: it was not, look again. */
  async #attempt(place: DebugPlace, act: (live: DebugSession | undefined) => Promise<DebugSession | null>): Promise<DebugSession> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const live = await this.#store.live(place)
      try {
        const session = await act(live)
        if (session !== null) return session
      } catch (error) {
        const now = await this.#store.live(place).catch(() => undefined) // what failed first is the news
        const isOvertaken =
          now !== undefined && (now.debugSessionId !== live?.debugSessionId || now.browserSessionId !== live.browserSessionId)
        if (!isOvertaken) throw error // else: what failed here, others have done
      }
    }
    throw this.#conflict(place)
  }

  /** A new debug session, in the place of another one. */
  async #make(place: DebugPlace, workflow: Workflow, former?: DebugSession): Promise<DebugSession | null> {
    const session = await this.#name(place.organizationId, workflow, former, async (browser) => {
      const row = this.#newRow(place, browser)
      const made: Write[] = [{ op: 'insert', table: 'debug_sessions', row }, this.#journal.tell('debug_session.created', row, {})]
      return former === undefined ? made : [...(await this.#completing(former)), ...made]
    })
    if (session !== null && former !== undefined) void this.#browsers.leave(former)
    return session
  }

  /** The same debug session on a new browser; the old one is closed behind it. */
  async #move(live: DebugSession, workflow: Workflow): Promise<DebugSession | null> {
    const { organizationId, debugSessionId, browserSessionId: formerBrowserSessionId } = live
    const session = await this.#name(organizationId, workflow, live, async (browser) => {
      const place = { browserSessionId: browser.browserSessionId, vncStreamingSupported: browser.displayBackend !== null }
      return [
        ...(await this.#browsers.leaving(live)),
        {
          op: 'update',
          table: 'debug_sessions',
          id: debugSessionId,
          where: { organizationId, status: 'created', browserSessionId: formerBrowserSessionId },
          set: { ...place, modifiedAt: storageNow() },
        },
        this.#journal.tell('debug_session.moved', { ...live, ...place }, { formerBrowserSessionId }),
      ]
    })
    if (session !== null) void this.#browsers.leave(live)
    return session
  }

  /** Makes a browser and commits what names it, with its full time; null: refused, and the browser is closed again. */
  async #name(
    organizationId: string,
    workflow: Workflow,
    former: DebugSession | undefined,
    writes: (browser: BrowserSession) => Promise<Write[]>,
  ): Promise<DebugSession | null> {
    const browser = await this.#newBrowser(organizationId, workflow, former)
    try {
      const result = await this.#journal.commit([...(await writes(browser)), this.#browsers.keptBy(browser)])
      if (result.ok && (await this.#browsers.isRenewed(browser))) return rowOf(result)
      if (result.ok) return null // lost already: the next look finds that
    } catch (error) {
      await this.#browsers.discard(browser) // should the commit have been applied all the same, the next call repairs that
      throw error
    }
    await this.#browsers.discard(browser)
    return null
  }

  /** Where there is no room for a second browser, the former one goes first. */
  async #newBrowser(organizationId: string, workflow: Workflow, former: DebugSession | undefined): Promise<BrowserSession> {
    try {
      return await this.#browsers.create(organizationId, workflow)
    } catch (error) {
      if (former === undefined || !PoolSaturatedError.is(error)) throw error
      await this.#browsers.leave(former)
      return this.#browsers.create(organizationId, workflow)
    }
  }

  async #completing(session: DebugSession): Promise<Write[]> {
    const { organizationId, debugSessionId, browserSessionId } = session
    return [
      {
        op: 'update',
        table: 'debug_sessions',
        id: debugSessionId,
        where: { organizationId, status: 'created', browserSessionId },
        set: { status: 'completed', modifiedAt: storageNow() },
      },
      ...(await this.#browsers.leaving(session)),
      this.#journal.tell('debug_session.completed', session, {}),
    ]
  }

  #newRow(place: DebugPlace, { browserSessionId, displayBackend }: BrowserSession) {
    return {
      debugSessionId: this.#settings.ids.next('ds'),
      ...place,
      browserSessionId,
      vncStreamingSupported: displayBackend !== null,
      status: 'created' as const,
      createdAt: storageNow(),
      modifiedAt: storageNow(),
    }
  }

  #conflict({ userId, workflowPermanentId }: Pick<DebugSession, 'userId' | 'workflowPermanentId'>) {
    return new DebugSessionConflictError(workflowPermanentId, userId, ATTEMPTS)
  }
}

/** The row that a commit leaves as the debug session: the last that it wrote of the table. */
function rowOf(result: Extract<CommitResult, { ok: true }>): DebugSession {
  const rows = result.rows.flat().filter((row): row is DebugSessionRow => 'debugSessionId' in row && 'vncStreamingSupported' in row)
  return rows.at(-1) as DebugSession
}
