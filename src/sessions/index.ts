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
  BlockedRequest,
  BrowserDriver,
  BrowserHandle,
  ConnectSpec,
  DialogAnswer,
  ElementDescriptor,
  GuardedNetwork,
  LaunchSpec,
  NavigationResult,
  NetworkGuard,
  NetworkPolicy,
  NetworkRefusal,
  PageDialog,
  PageDownload,
  PageDriver,
  PageInteraction,
  PageObservation,
  PageOperationOptions,
  ProcessIdentity,
  ScreenshotParams as PageScreenshotParams,
  TargetState,
  UpstreamProxy,
  WaitCondition,
} from './ports.js'
export type { PoolEventType } from './session-journal.js'
export type { LeasePageOptions, SessionLease } from './session-lease.js'
export { SessionPool } from './session-pool.js'
