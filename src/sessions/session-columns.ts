import type { BrowserSessionRow } from '../storage/schema.js'
import { type Changes, type NewRow, storageNow } from '../storage/storage.js'
import type { Display } from '../streaming/display.js'
import type { Runnable } from './browser-session.js'
import type { BrowserHandle } from './ports.js'

const MINUTE_MS = 60_000

/** The row of a session whose browser is about to be launched. */
export function createdRow(params: {
  readonly browserSessionId: string
  readonly organizationId: string
  readonly hostId: string
  readonly machineId: string
  readonly leaseTtlMs: number
  readonly private: boolean
  /** Who it is for; the lease itself begins with the browser. */
  readonly runnable: Runnable | null
  readonly timeoutMinutes: number
  readonly browserType: BrowserSessionRow['browserType']
  readonly url?: string | undefined
  readonly viewport: BrowserSessionRow['viewport']
}): NewRow<BrowserSessionRow> {
  return {
    browserSessionId: params.browserSessionId,
    organizationId: params.organizationId,
    status: 'created',
    private: params.private,
    attachable: false,
    detached: false,
    runnableType: params.runnable?.runnableType ?? null,
    runnableId: params.runnable?.runnableId ?? null,
    leaseFence: 0,
    hostId: params.hostId,
    machineId: params.machineId,
    hostLeaseExpiresAt: storageNow({ plusMs: params.leaseTtlMs }),
    guarded: false,
    interactor: 'agent',
    timeoutMinutes: params.timeoutMinutes,
    uses: 0,
    browserType: params.browserType,
    url: params.url ?? null,
    viewport: params.viewport,
    createdAt: storageNow(),
    modifiedAt: storageNow(),
  }
}

/** The columns of a session whose browser answers. */
export function runningColumns(params: {
  readonly browser: BrowserHandle
  readonly display: Display | null
  readonly displayUnavailableReason: string | null
  readonly timeoutMinutes: number
  readonly leaseTtlMs: number
}): Changes<BrowserSessionRow> {
  const { browser, display } = params
  return {
    status: 'running',
    pid: browser.process?.pid ?? null,
    pidStartTime: browser.process?.startTime ?? null,
    browserAddress: browser.browserAddress,
    displayBackend: display?.backend ?? null,
    displayNumber: display?.displayNumber ?? null,
    displayDir: display?.directory ?? null,
    displayUnavailableReason: params.displayUnavailableReason,
    startedAt: storageNow(),
    expiresAt: storageNow({ plusMs: params.timeoutMinutes * MINUTE_MS }),
    lastActivityAt: storageNow(),
    hostLeaseExpiresAt: storageNow({ plusMs: params.leaseTtlMs }),
    modifiedAt: storageNow(),
  }
}
