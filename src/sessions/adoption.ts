import { RunwrightError, TimeoutError } from '../errors/index.js'
import { forkAbort, withDeadline } from '../runtime/index.js'
import type { BrowserSessionRow } from '../storage/schema.js'
import { increment, storageNow, type Where } from '../storage/storage.js'
import type { Display } from '../streaming/display.js'
import { recordingKinds } from './browser-options.js'
import { type BrowserStartRequest, keepsOf, type LaunchProgress, newProgress, type StartedBrowser } from './browser-start.js'
import { Deferred } from './deferred.js'
import { idleFromNow } from './idle-clock.js'
import type { LaunchSources } from './launch-sources.js'
import { carries, leaseOn, releasedEvents } from './lease-ending.js'
import { NO_LEASE } from './lease-terms.js'
import type { SessionPoolSettings } from './options.js'
import type { AdoptSpec, BrowserHandle, GuardedNetwork, NetworkPolicy, UpstreamProxy } from './ports.js'
import type { SessionArrival } from './session-arrival.js'
import { browserColumns } from './session-columns.js'
import { ownSessionDirectory, type SessionDirectory, type SessionFolder, sessionDirectoryAt } from './session-directory.js'
import type { SessionJournal } from './session-journal.js'
import { newLife } from './session-life.js'
import { readSessionMemo, type SessionMemo } from './session-memo.js'
import type { SessionNetworks } from './session-network.js'
import type { SessionRegistry } from './session-registry.js'
import { specKey } from './session-spec.js'
import type { SessionTeardown } from './session-teardown.js'

const DISPLAY_LIMIT_MS = 5_000

/** How an attempt to adopt ended. */
export type AdoptionResult =
  | { readonly kind: 'adopted' }
  /** It is somebody else's by now, or there is no room for it here: it stays as it is. */
  | { readonly kind: 'left'; readonly reason: string }
  /** It is this host's, and its browser is not to be had: it has to be ended. */
  | { readonly kind: 'failed'; readonly reason: string }

export interface AdoptionCandidate {
  readonly row: BrowserSessionRow
  readonly folder: SessionFolder
  /** What must still hold of the row: that its host is gone. */
  readonly hostIsGone: Where<BrowserSessionRow>
  /** Whether somebody on another host is attached to it, whose lease lives: it stays his. */
  readonly keepsLease: boolean
}

/** Until the next lease says what may be reached: nobody knows any more what the last one said. */
const NOTHING: NetworkPolicy = {
  check: () => ({ rule: 'adopted', reason: 'the session was adopted and has no holder so far' }),
  onBlocked: () => {},
}

export interface AdoptionParts {
  readonly settings: SessionPoolSettings
  readonly registry: SessionRegistry
  readonly journal: SessionJournal
  readonly networks: SessionNetworks
  readonly sources: LaunchSources
  readonly arrival: SessionArrival
  readonly teardown: SessionTeardown
}

/** Takes over sessions that have outlived their hosts: first the row, by one conditional write, then the browser. */
export class Adoption {
  readonly #parts: AdoptionParts

  constructor(parts: AdoptionParts) {
    this.#parts = parts
  }

  /** Never rejects but for what the storage rejects with. */
  async adopt(candidate: AdoptionCandidate): Promise<AdoptionResult> {
    const { registry } = this.#parts
    const { browserSessionId } = candidate.row
    if (!registry.hasRoom()) return { kind: 'left', reason: `this host has its ${registry.maxSessions} sessions` }
    const fork = forkAbort()
    const settled = new Deferred()
    registry.reserve(browserSessionId, { abort: (reason) => fork.abort(reason), settled: settled.promise })
    try {
      const claimed = await this.#claim(candidate)
      if (claimed === null) return { kind: 'left', reason: 'another host was faster, or its own is back' }
      return await this.#takeOver(claimed, candidate, fork.signal)
    } finally {
      if (registry.live(browserSessionId) === undefined) registry.unreserve(browserSessionId)
      fork.dispose()
      settled.resolve()
    }
  }

  /** The row says that the session is this host's; its dead holder's lease is over. Null: refused. */
  async #claim({ row, hostIsGone, keepsLease }: AdoptionCandidate): Promise<BrowserSessionRow | null> {
    const { journal, settings } = this.#parts
    const { hostId, leaseTtlMs } = settings
    const lease = leaseOn(row)
    const released = keepsLease ? [] : releasedEvents(journal, row, lease)
    const result = await journal.commit([
      {
        op: 'update',
        table: 'browser_sessions',
        id: row.browserSessionId,
        where: {
          status: 'running',
          detached: true,
          hostId: row.hostId,
          leaseFence: row.leaseFence,
          ...carries(lease),
          ...hostIsGone,
        },
        set: {
          ...(keepsLease ? {} : { ...NO_LEASE, ...idleFromNow(row.idleTimeoutMinutes), leaseFence: increment() }),
          hostId,
          hostLeaseExpiresAt: storageNow({ plusMs: leaseTtlMs }),
          modifiedAt: storageNow(),
        },
      },
      ...(released.length === 0 ? [] : [journal.append(row.browserSessionId, released)]),
    ])
    if (result.ok) journal.emit(result.events)
    return result.ok ? (result.rows[0]?.[0] as BrowserSessionRow) : null
  }

  async #takeOver(row: BrowserSessionRow, candidate: AdoptionCandidate, signal: AbortSignal): Promise<AdoptionResult> {
    const { settings, teardown } = this.#parts
    const progress: LaunchProgress = newProgress(row.browserSessionId)
    try {
      const directory = sessionDirectoryAt(candidate.folder.path)
      await ownSessionDirectory(directory.path, { ...settings, browserSessionId: row.browserSessionId, isDetached: true })
      const memo = await readSessionMemo(directory.path, row.private)
      const proxy = await this.#proxyOf(row, signal)
      if (row.guarded) progress.network = await this.#reopen(row, proxy)
      const displayReason = await this.#adoptDisplay(row, progress)
      const browser = await this.#connect(row, memo, directory, progress, signal)
      if (browser.process !== null) progress.network?.admit(browser.process)
      const started = startedBrowser({ row, memo, browser, directory, progress, displayReason })
      await this.#goOn(row, candidate, memo, started, progress, proxy)
      return { kind: 'adopted' }
    } catch (error) {
      settings.logger.warn('a session could not be adopted', { browserSessionId: row.browserSessionId, error })
      // what its processes are left to is for the caller; what is ours here goes
      await teardown.run({ ...progress, browser: null, directory: null }, { isClean: false })
      await progress.browser?.detach?.().catch(() => {}) // the connection is gone already
      return { kind: 'failed', reason: RunwrightError.is(error) || error instanceof Error ? error.message : String(error) }
    }
  }

  /** For a guarded browser the guard goes on through it; for the others it is needed only when the browser is started anew. */
  async #proxyOf(row: BrowserSessionRow, signal: AbortSignal): Promise<UpstreamProxy | null> {
    const { organizationId, browserSessionId, proxyLocation } = row
    if (proxyLocation === null) return null
    return this.#parts.sources.prepare({ organizationId, proxyLocation, extensions: [] }, browserSessionId, signal)
  }

  async #reopen({ browserSessionId, scopeProxyPort }: BrowserSessionRow, proxy: UpstreamProxy | null): Promise<GuardedNetwork> {
    if (scopeProxyPort === null) throw new Error('its row does not tell the port of its guard')
    return this.#parts.networks.open({ browserSessionId, proxy, port: scopeProxyPort, networkPolicy: NOTHING })
  }

  /** Resolves to why there is none although there was one; null: there is one, or there was none. */
  async #adoptDisplay(
    { organizationId, browserSessionId, displayDir }: BrowserSessionRow,
    progress: LaunchProgress,
  ): Promise<string | null> {
    const { streaming, clock, logger } = this.#parts.settings
    if (displayDir === null) return null
    if (streaming?.adoptDisplay === undefined) return 'the host that adopted the session has no displays'
    try {
      const adopting = streaming.adoptDisplay({ organizationId, browserSessionId })
      const onTimeout = () => new TimeoutError(`The display of session ${browserSessionId}`, DISPLAY_LIMIT_MS)
      const display: Display = await withDeadline({ run: () => adopting, timeoutMs: DISPLAY_LIMIT_MS, onTimeout, clock })
      progress.display = display
      progress.hasDisplay = true
      progress.untie.push(
        display.onExit((reason) => {
          progress.lostReason ??= `its display is gone: ${reason}`
        }),
      )
      return null
    } catch (error) {
      logger.warn('a session is adopted without its display', { browserSessionId, error })
      return `its display could not be adopted: ${error instanceof Error ? error.message : String(error)}`
    }
  }

  async #connect(
    row: BrowserSessionRow,
    memo: SessionMemo,
    directory: SessionDirectory,
    progress: LaunchProgress,
    signal: AbortSignal,
  ): Promise<BrowserHandle> {
    const { driver, launchTimeoutMs: timeoutMs } = this.#parts.settings
    if (driver.adopt === undefined) throw new Error(`the driver "${driver.name}" cannot adopt browsers`)
    const browser = await driver.adopt(adoptSpec(row, memo, directory), { timeoutMs, signal })
    progress.browser = browser
    progress.untie.push(
      browser.onLost((reason) => {
        progress.lostReason ??= reason
      }),
    )
    return browser
  }

  async #goOn(
    row: BrowserSessionRow,
    { row: former }: AdoptionCandidate,
    memo: SessionMemo,
    started: StartedBrowser,
    progress: LaunchProgress,
    proxy: UpstreamProxy | null,
  ): Promise<void> {
    const { settings, registry, journal, arrival } = this.#parts
    const { clock, hostId, leaseTtlMs } = settings
    const { organizationId, browserSessionId, leaseFence } = row
    const pid = started.browser.process?.pid ?? null
    const displayBackend = started.display?.backend ?? null
    const payload = { browserSessionId, hostId, formerHostId: former.hostId, pid, leaseFence, displayBackend }
    const events = [journal.event('session.adopted', organizationId, payload)]
    const { displayUnavailableReason: reason } = started
    if (reason !== null) events.push(journal.event('display.degraded', organizationId, { browserSessionId, reason }))
    const columns = browserColumns({ ...started, leaseTtlMs, displayUnavailableReason: reason ?? row.displayUnavailableReason })
    const result = await journal.commit([
      { op: 'update', table: 'browser_sessions', id: browserSessionId, where: { status: 'running', hostId }, set: columns },
      journal.append(browserSessionId, events),
    ])
    if (!result.ok) throw new Error('it was ended while it was adopted')
    const { idleTimeoutMinutes } = row
    const start = { ...startRequest(row, memo), proxy }
    // what its profile gave may have been taken away between two leases: nobody knows any more
    const again = row.uses === 0 ? start : { ...start, browserProfileId: undefined }
    const life = newLife({ clock, idleTimeoutMinutes, onBrowserLost: memo.onBrowserLost, start: again })
    const live = arrival.arrive({ ...progress, organizationId, started, life, isAttached: false, isDetached: true, fence: leaseFence })
    if (!row.private) registry.setReuseKey(browserSessionId, specKey({ ...start, attachable: memo.attachable }, settings))
    if (row.retiredAt !== null) live.life.unfit = 'drained'
    if (progress.lostReason !== null) arrival.lost(live, progress.lostReason) // it died during the write
    journal.emit(result.events)
  }
}

interface StartedParams {
  readonly row: BrowserSessionRow
  readonly memo: SessionMemo
  readonly browser: BrowserHandle
  readonly directory: SessionDirectory
  readonly progress: LaunchProgress
  readonly displayReason: string | null
}

function startedBrowser({ row, memo, browser, directory, progress, displayReason }: StartedParams): StartedBrowser {
  return {
    browser,
    network: progress.network,
    directory,
    keeps: keepsOf(startRequest(row, memo)),
    display: progress.display,
    displayUnavailableReason: displayReason,
    urlFailure: null,
    launchMs: 0,
  }
}

/** How it was started, and is started again when its browser is lost. Pure. */
function startRequest(row: BrowserSessionRow, memo: SessionMemo): BrowserStartRequest {
  return {
    ...memo,
    organizationId: row.organizationId,
    browserSessionId: row.browserSessionId,
    browserType: row.browserType,
    viewport: row.viewport,
    private: row.private,
    guarded: row.guarded,
    proxy: null,
    attachable: true,
    detached: true,
    ...(row.browserProfileId === null ? {} : { browserProfileId: row.browserProfileId }),
    ...(row.proxyLocation === null ? {} : { proxyLocation: row.proxyLocation }),
  }
}

/** What its driver has to know. Pure but for the folder's paths. */
function adoptSpec(row: BrowserSessionRow, memo: SessionMemo, directory: SessionDirectory): AdoptSpec {
  if (row.pid === null || row.browserAddress === null) throw new Error('its row does not tell its process and DevTools address')
  return {
    browserSessionId: row.browserSessionId,
    browserType: row.browserType,
    viewport: row.viewport,
    headless: memo.headless,
    launchArgs: [],
    env: { TMPDIR: directory.temporary },
    directory: directory.path,
    downloadsDirectory: directory.downloads,
    ownsDirectory: true,
    extensions: memo.extensions,
    extraHttpHeaders: memo.extraHttpHeaders,
    locale: memo.locale,
    timezoneId: memo.timezoneId,
    record: recordingKinds(memo.record),
    attachable: true,
    detached: true,
    browserAddress: row.browserAddress,
    process: { pid: row.pid, startTime: row.pidStartTime },
  }
}
