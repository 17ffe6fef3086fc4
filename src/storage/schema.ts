import type { RowOf, Table } from './columns.js'
import { artifacts } from './tables/artifacts.js'
import { browserSessions } from './tables/browser-sessions.js'
import { actions, runBlocks, runs } from './tables/runs.js'
import { viewTokens } from './tables/view-tokens.js'
import { workflows } from './tables/workflows.js'

/** Every table, once: row types, adapters and database schemas are built from this. */
export const tables = {
  workflows,
  runs,
  run_blocks: runBlocks,
  actions,
  browser_sessions: browserSessions,
  view_tokens: viewTokens,
  artifacts,
} as const

export type Tables = typeof tables
export type TableName = keyof Tables
export type Row<T extends TableName> = RowOf<Tables[T]>

export type WorkflowRow = Row<'workflows'>
export type RunRow = Row<'runs'>
export type RunBlockRow = Row<'run_blocks'>
export type ActionRow = Row<'actions'>
export type BrowserSessionRow = Row<'browser_sessions'>
export type ViewTokenRow = Row<'view_tokens'>
export type ArtifactRow = Row<'artifacts'>

/** The description of a table, where its name is not known at compile time. */
export const tableOf = (name: TableName): Table => tables[name] as unknown as Table
