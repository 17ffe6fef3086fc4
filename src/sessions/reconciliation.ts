import type { BrowserSessionRow } from '../storage/schema.js'
import { storageNow, type Where } from '../storage/storage.js'
import type { CloseReason } from '../storage/tables/browser-sessions.js'
import type { Adoption } from './adoption.js'
import { commitFinal } from './final-writes.js'
import { leaseOn } from './lease-ending.js'
import { isHeld } from './occupy-refusal.js'
import type { SessionPoolSettings } from './options.js'
import { isOrphaned, type KilledProcesses, type OrphanProcesses } from './orphan-processes.js'
import type { PoolRemains } from './pool-remains.js'
import type { ProcessIdentity } from './ports.js'
import type { SessionFolder } from './session-directory.js'
import type { SessionJournal } from './session-journal.js'
import { isFinalStatus, LIVE_STATUSES, statusFor } from './session-status.js'

/** A session, and why it was dealt with as it was. */
export interface ReconciledSession {
  readonly browserSessionId: string
  readonly reason: string
}

/** What `start()` found of hosts of this machine that were there before, and of its own last life, and did about it. */
export interface ReconciliationReport {
  /** Ids of detached sessions that are this host's now, browsers and all. */
  readonly adopted: readonly string[]
  /** Detached sessions that were ended (`orphan` or `expired`): there was nothing to adopt. */
  readonly marked: readonly ReconciledSession[]
  /** Detached sessions that were left alone: their host lives, or another was faster. */
  readonly left: readonly ReconciledSession[]
  /** Browsers whose host is dead and that were nobody's any more; and those that this pool could not end when it was stopped. */
  readonly killed: readonly KilledProcesses[]
  /** Folders that were removed: theirs, those of browsers that had ended by themselves, and those whose making or removal was broken off. */
  readonly removedDirectories: readonly string[]
  /** What could not be done; of browsers that outlasted the last `stop()` too. The next start tries it again. */
  readonly failures: readonly string[]
}

type Draft = { -readonly [K in keyof ReconciliationReport]: ReconciliationReport[K] extends readonly (infer T)[] ? T[] : never }

const PAGE_SIZE = 500

export interface ReconciliationParts {
  readonly settings: SessionPoolSettings
  readonly journal: SessionJournal
  readonly adoption: Pick<Adoption, 'adopt'>
  readonly orphans: OrphanProcesses
  readonly remains: Pick<PoolRemains, 'end'>
}

/** Brings what hosts of this machine left, and what the storage says of it, together again. */
export class Reconciliation {
  readonly #parts: ReconciliationParts

  constructor(parts: ReconciliationParts) {
    this.#parts = parts
  }

  /** Never rejects: what cannot be done is in the report. */
  async run(): Promise<ReconciliationReport> {
    const { settings, orphans, remains } = this.#parts
    const report: Draft = { adopted: [], marked: [], left: [], killed: [], removedDirectories: [], failures: [] }
    const failed = (what: string, error: unknown) => {
      settings.logger.warn(`could not ${what}`, { error })
      report.failures.push(`could not ${what}: ${error instanceof Error ? error.message : String(error)}`)
    }
    const attempt = (what: string, work: () => Promise<void>) => work().catch((error: unknown) => failed(what, error))
    const own = remains.end()
    let folders: readonly SessionFolder[] = []
    await attempt('look for what other hosts left', async () => {
      folders = await orphans.folders()
    })
    await attempt('read the detached sessions of this machine', async () => {
      const rows = await this.#rows()
      await Promise.all(
        rows.map((row) => attempt(`reconcile session ${row.browserSessionId}`, () => this.#session(row, folderOf(row, folders), report))),
      )
    })
    const dead = folders.filter((folder) => orphans.isHostDead(folder) && !report.removedDirectories.includes(folder.path))
    await Promise.all(dead.map((folder) => attempt(`remove ${folder.path}`, () => this.#folder(folder, report))))
    await attempt('remove the folders that nobody owns', async () => {
      report.removedDirectories.push(...(await orphans.sweepOwnerless((path, error) => failed(`remove ${path}`, error))))
    })
    if (report.marked.length > 0) {
      await attempt('end the displays of sessions that were nobody’s', async () => void (await settings.streaming?.sweepDisplays?.()))
    }
    const { killed, removedDirectories, failures } = await own
    report.killed.push(...killed)
    report.removedDirectories.push(...removedDirectories)
    report.failures.push(...failures)
    return report
  }

  async #rows(): Promise<readonly BrowserSessionRow[]> {
    const { storage, machineId } = this.#parts.settings
    const rows: BrowserSessionRow[] = []
    for (let after: string | undefined; ; after = rows.at(-1)?.browserSessionId) {
      const where = { detached: true, machineId, status: { in: LIVE_STATUSES } } as const
      const page = await storage.find({ table: 'browser_sessions', where, limit: PAGE_SIZE, ...(after === undefined ? {} : { after }) })
      rows.push(...page)
      if (page.length < PAGE_SIZE) return rows
    }
  }

  async #session(row: BrowserSessionRow, folder: SessionFolder | undefined, report: Draft): Promise<void> {
    const { settings, orphans, adoption } = this.#parts
    const { browserSessionId } = row
    const now = await settings.storage.now()
    const hasLapsed = row.hostLeaseExpiresAt === null || row.hostLeaseExpiresAt < now
    const isDead = folder !== undefined && folder.owner.hostId === row.hostId && orphans.isHostDead(folder)
    if (!hasLapsed && !isDead) {
      report.left.push({ browserSessionId, reason: `its host ${row.hostId} is alive` })
      return
    }
    const hostIsGone: Where<BrowserSessionRow> =
      isDead || row.hostLeaseExpiresAt === null ? {} : { hostLeaseExpiresAt: { lt: storageNow() } }
    const isKept = isHeld(row, now, settings.leaseTtlMs) && row.leaseHolder !== row.hostId
    if (row.expiresAt !== null && row.expiresAt <= now && !isKept) {
      return this.#mark({ row, folder, closeReason: 'expired', reason: 'it was past its end', hostIsGone, report })
    }
    const missing = row.status !== 'running' ? 'its browser had not come up' : folder === undefined ? 'its folder is gone' : null
    if (missing !== null || folder === undefined) {
      return this.#mark({ row, folder, closeReason: 'orphan', reason: missing ?? '', hostIsGone, report })
    }
    const result = await adoption.adopt({ row, folder, hostIsGone, keepsLease: isKept })
    if (result.kind === 'adopted') report.adopted.push(browserSessionId)
    else if (result.kind === 'left') report.left.push({ browserSessionId, reason: result.reason })
    else {
      const own = { ...row, hostId: settings.hostId }
      await this.#mark({ row: own, folder, closeReason: 'orphan', reason: result.reason, hostIsGone: {}, report })
    }
  }

  /** Makes the row final, if its host is still gone; then what runs of it is killed. */
  async #mark(params: {
    readonly row: BrowserSessionRow
    readonly folder: SessionFolder | undefined
    readonly closeReason: CloseReason
    readonly reason: string
    readonly hostIsGone: Where<BrowserSessionRow>
    readonly report: Draft
  }): Promise<void> {
    const { row, folder, closeReason, reason, hostIsGone, report } = params
    const { journal, settings } = this.#parts
    const { browserSessionId, organizationId, hostId } = row
    const where = { hostId, ...hostIsGone }
    const status = statusFor(closeReason)
    const lossReason = closeReason === 'orphan' ? reason : null
    const final = { browserSessionId, organizationId, status, closeReason, lossReason, where, lease: leaseOn(row) }
    const result = await commitFinal({ storage: settings.storage, journal }, final)
    if (!result.ok) {
      report.left.push({ browserSessionId, reason: 'it was changed meanwhile' })
      return
    }
    journal.emit(result.events)
    report.marked.push({ browserSessionId, reason })
    if (folder === undefined) return
    const process: ProcessIdentity | null = row.pid === null ? null : { pid: row.pid, startTime: row.pidStartTime }
    await this.#end(folder, process, report)
  }

  /** A folder whose host is dead: its session, if it is one that outlives hosts, has been dealt with. */
  async #folder(folder: SessionFolder, report: Draft): Promise<void> {
    const { storage, hostId } = this.#parts.settings
    const row = folder.owner.isDetached === true ? await storage.get('browser_sessions', folder.owner.browserSessionId) : undefined
    const fate = row === undefined ? 'unknown' : isFinalStatus(row.status) ? 'ended' : 'live'
    const isOurs = row?.hostId === hostId && fate === 'live'
    if (!isOurs && isOrphaned(folder, { isHostDead: true, fate })) await this.#end(folder, null, report)
  }

  async #end(folder: SessionFolder, process: ProcessIdentity | null, report: Draft): Promise<void> {
    const isKnown = process !== null && process.startTime !== null // a number alone may be somebody else's by now
    const killed = await this.#parts.orphans.end(folder, isKnown ? process : null)
    if (killed !== null) report.killed.push(killed)
    report.removedDirectories.push(folder.path)
  }
}

/** The folder in which its browser runs; other hosts may have one for it too, to attach. */
function folderOf({ browserSessionId }: BrowserSessionRow, folders: readonly SessionFolder[]): SessionFolder | undefined {
  return folders.find(({ owner }) => owner.browserSessionId === browserSessionId && owner.isDetached === true)
}
