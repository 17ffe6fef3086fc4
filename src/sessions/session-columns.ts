import type { BrowserSessionRow } from '../storage/schema.js'
import { type Changes, type NewRow, storageNow } from '../storage/storage.js'
import type { Display } from '../streaming/display.js'
import type { Runnable } from './browser-session.js'
import type { BrowserHandle, GuardedNetwork } from './ports.js'

const MINUTE_MS = 60_000

/** The row of a session whose browser is about to be launched. */
export function createdRow(params: {
  readonly browserSessionId: string
  readonly organizationId: string
  readonly hostId: string
  readonly machineId: string
  readonly leaseTtlMs: number
  readonly private: boolean
  readonly guarded: boolean
  readonly attachable?: boolean | undefined
  readonly detached?: boolean | undefined
  /** Who it is for; the lease itself begins with the browser. */
  readonly runnable: Runnable | null
  readonly timeoutMinutes: number
  readonly idleTimeoutMinutes: number | null
  readonly browserType: BrowserSessionRow['browserType']
  readonly url?: string | undefined
  readonly viewport: BrowserSessionRow['viewport']
  readonly proxyLocation?: string | undefined
  readonly browserProfileId?: string | undefined
  /** Of a browser that somebody else has started. */
  readonly browserAddress?: string | undefined
}): NewRow<BrowserSessionRow> {
  return {
    browserSessionId: params.browserSessionId,
    organizationId: params.organizationId,
    status: 'created',
    private: params.private,
    attachable: params.attachable === true || params.detached === true,
    detached: params.detached === true,
    runnableType: params.runnable?.runnableType ?? null,
    runnableId: params.runnable?.runnableId ?? null,
    leaseFence: 0,
    hostId: params.hostId,
    machineId: params.machineId,
    hostLeaseExpiresAt: storageNow({ plusMs: params.leaseTtlMs }),
    browserAddress: params.browserAddress ?? null,
    guarded: params.guarded,
    interactor: 'agent',
    timeoutMinutes: params.timeoutMinutes,
    idleTimeoutMinutes: params.idleTimeoutMinutes,
    uses: 0,
    browserType: params.browserType,
    url: params.url ?? null,
    viewport: params.viewport,
    proxyLocation: params.proxyLocation ?? null,
    browserProfileId: params.browserProfileId ?? null,
    createdAt: storageNow(),
    modifiedAt: storageNow(),
  }
}

interface BrowserColumnsParams {
  readonly browser: BrowserHandle
  readonly network: GuardedNetwork | null
  readonly display: Display | null
  readonly displayUnavailableReason: string | null
  readonly leaseTtlMs: number
  readonly browserAddress?: string | undefined
}

/** The columns of a session whose browser answers. */
export function runningColumns(params: BrowserColumnsParams & { readonly timeoutMinutes: number }): Changes<BrowserSessionRow> {
  return {
    ...browserColumns(params),
    startedAt: storageNow(),
    expiresAt: storageNow({ plusMs: params.timeoutMinutes * MINUTE_MS }),
    lastActivityAt: storageNow(),
  }
}

/** Those of them that are the browser's own: also of one that was replaced. */
export function browserColumns(params: BrowserColumnsParams): Changes<BrowserSessionRow> {
  const { browser, network, display } = params
  return {
    status: 'running',
    pid: browser.process?.pid ?? null,
    pidStartTime: browser.process?.startTime ?? null,
    browserAddress: browser.browserAddress ?? params.browserAddress ?? null,
    scopeProxyPort: network?.port ?? null,
    displayBackend: display?.backend ?? null,
    displayNumber: display?.displayNumber ?? null,
    displayDir: display?.directory ?? null,
    displayUnavailableReason: params.displayUnavailableReason,
    hostLeaseExpiresAt: storageNow({ plusMs: params.leaseTtlMs }),
    modifiedAt: storageNow(),
  }
}
