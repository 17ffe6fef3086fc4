export type {
  BlockOutputsParams,
  DebugBrowserOptions,
  DebugPlaceParams,
  DebugRunsParams,
  DebugSessionRef,
  DebugSessionsOptions,
  RunBlocksParams,
} from './debug-options.js'
export type { DebugEngine, DebugPool } from './debug-ports.js'
export type { BlockRun, DebugSession } from './debug-session.js'
export { DebugSessions } from './debug-sessions.js'
export type { OrganizationDebugSessions } from './organization-debug-sessions.js'
