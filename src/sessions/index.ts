export type { BrowserSession, Runnable } from './browser-session.js'
export type {
  CloseSessionParams,
  CreateOccupiedSessionParams,
  CreateSessionParams,
  ListSessionsParams,
  OccupySessionParams,
  ReleaseOutcome,
  RenewSessionParams,
  SessionEventsParams,
  SessionPoolOptions,
  SessionRef,
  SessionStreaming,
} from './options.js'
export type { OrganizationSessions } from './organization-sessions.js'
export type { PoolHealth, PoolStats } from './pool-stats.js'
export type {
  BrowserDriver,
  BrowserHandle,
  ElementDescriptor,
  LaunchSpec,
  NavigationResult,
  PageDownload,
  PageDriver,
  PageInteraction,
  PageOperationOptions,
  ProcessIdentity,
  ScreenshotParams as PageScreenshotParams,
  TargetState,
  WaitCondition,
} from './ports.js'
export type { PoolEventType } from './session-journal.js'
export type { LeasePageOptions, SessionLease } from './session-lease.js'
export { SessionPool } from './session-pool.js'
