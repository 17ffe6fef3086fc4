import type { RowOf, Table } from './columns.js'
import { artifacts } from './tables/artifacts.js'
import { browserProfiles } from './tables/browser-profiles.js'
import { browserSessions } from './tables/browser-sessions.js'
import { blockRuns, debugSessions } from './tables/debug-sessions.js'
import { hosts, leases } from './tables/leases.js'
import { actions, runBlocks, runs, steps, tasks } from './tables/runs.js'
import { viewTokens } from './tables/view-tokens.js'
import { webhookDeliveries } from './tables/webhook-deliveries.js'
import { playbooks, workflows } from './tables/workflows.js'

/** Every table, once: row types, adapters and database schemas are built from this. */
export const tables = {
  workflows,
  playbooks,
  runs,
  run_blocks: runBlocks,
  tasks,
  steps,
  actions,
  browser_sessions: browserSessions,
  browser_profiles: browserProfiles,
  view_tokens: viewTokens,
  artifacts,
  leases,
  hosts,
  webhook_deliveries: webhookDeliveries,
  debug_sessions: debugSessions,
  block_runs: blockRuns,
} as const

/** The schema manifest as a type. */
export type Tables = typeof tables
/** The name of a table. */
export type TableName = keyof Tables
/** A row of a table. */
export type Row<T extends TableName> = RowOf<Tables[T]>

/** A row of `workflows`: one version. */
export type WorkflowRow = Row<'workflows'>
/** A row of `runs`. */
export type RunRow = Row<'runs'>
/** A row of `run_blocks`: one attempt at one block. */
export type RunBlockRow = Row<'run_blocks'>
/** A row of `playbooks`: one version. */
export type PlaybookRow = Row<'playbooks'>
/** A row of `tasks`. */
export type TaskRow = Row<'tasks'>
/** A row of `steps`: one attempt at one step. */
export type StepRow = Row<'steps'>
/** A row of `actions`. */
export type ActionRow = Row<'actions'>
/** A row of `browser_sessions`. */
export type BrowserSessionRow = Row<'browser_sessions'>
/** A row of `browser_profiles`. */
export type BrowserProfileRow = Row<'browser_profiles'>
/** A row of `view_tokens`. */
export type ViewTokenRow = Row<'view_tokens'>
/** A row of `artifacts`. */
export type ArtifactRow = Row<'artifacts'>

/** A row of `leases`. */
export type LeaseRow = Row<'leases'>
/** A row of `hosts`. */
export type HostRow = Row<'hosts'>
/** A row of `webhook_deliveries`. */
export type WebhookDeliveryRow = Row<'webhook_deliveries'>
/** A row of `debug_sessions`. */
export type DebugSessionRow = Row<'debug_sessions'>
/** A row of `block_runs`. */
export type BlockRunRow = Row<'block_runs'>

/** The description of a table, where its name is not known at compile time. */
export const tableOf = (name: TableName): Table => tables[name] as unknown as Table
