export type { AttachSessionParams } from './attach-options.js'
export type { BrowserSession, Runnable } from './browser-session.js'
export type { BrowserState, OriginState, StateCookie, TabStorage } from './browser-state.js'
export type { CloseSessionParams } from './close-options.js'
export type { BreakerState } from './launch-breaker.js'
export type { Meter, MeterAttributes, MeterInstrumentOptions, ObservableGauge, ObservableResult } from './meter.js'
export type {
  AcquireSessionParams,
  CloseAllSessionsParams,
  CreateOccupiedSessionParams,
  CreateSessionParams,
  DrainParams,
  ListSessionsParams,
  OccupySessionParams,
  RenewSessionParams,
  SessionEventsParams,
  SessionPoolOptions,
  SessionRef,
  SessionStreaming,
  UseSessionRequest,
  WarmOptions,
} from './options.js'
export type { OrganizationSessions } from './organization-sessions.js'
export type { KilledProcesses } from './orphan-processes.js'
export type { PoolHealth, PoolStats } from './pool-stats.js'
export type {
  AdoptSpec,
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
  RunningBrowser,
  SanitizeParams,
  ScreenshotParams as PageScreenshotParams,
  TargetState,
  UpstreamProxy,
  WaitCondition,
} from './ports.js'
export type { BrowserProfile } from './profiles/browser-profile.js'
export type {
  CreateProfileParams,
  DeleteProfileParams,
  ListProfilesParams,
  ListSessionArtifactsParams,
  ProfileRef,
  SaveProfileParams,
  SessionArtifactRef,
} from './profiles/profile-params.js'
export type { ProxyProvider } from './proxy-provider.js'
export type { ReconciledSession, ReconciliationReport } from './reconciliation.js'
export type { RecordedFile, RecordingKind } from './recording.js'
export type { RecycleLimits, RecycleOptions } from './recycling.js'
export type { ReleaseOutcome } from './release-options.js'
export type { DurationFigures } from './sample-window.js'
export type { DrainReport } from './session-drainer.js'
export type { SessionArtifact } from './session-files.js'
export type { SessionHook, SessionHookFacts, SessionHooks } from './session-hooks.js'
export type { PoolEventType } from './session-journal.js'
export type { LeasePageOptions, ReleaseOptions, SessionLease } from './session-lease.js'
export { SessionPool } from './session-pool.js'
export type { SanitizeOptions } from './session-sanitizer.js'
