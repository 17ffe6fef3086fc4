export {
  type ArtifactBody,
  type ArtifactMeta,
  type ArtifactStore,
  checkArtifactKey,
  DEFAULT_MAX_ARTIFACT_BYTES,
  type StoredBytes,
} from './artifacts/artifact-store.js'
export { Artifacts, type ArtifactsOptions, type SaveArtifactParams } from './artifacts/artifacts.js'
export { FilesystemArtifactStore, type FilesystemArtifactStoreOptions } from './artifacts/filesystem-artifact-store.js'
export { MemoryArtifactStore, type MemoryArtifactStoreOptions } from './artifacts/memory-artifact-store.js'
export type { Column, ColumnKind, RowOf, Table, UniqueKey } from './columns.js'
export { type DeleteRowsParams, deleteRows } from './delete-rows.js'
export { type ReadStreamParams, readStream } from './event-reader.js'
export { guardStorage } from './guard.js'
export {
  type HeldLease,
  type LeaseColumns,
  type LeasedTable,
  leaseCleared,
  leaseSet,
  type RenewalsParams,
  renewalSet,
  renewals,
  whereFree,
  whereHeld,
  whereLapsed,
} from './lease.js'
export { type MemorySnapshot, MemoryStorage, type MemoryStorageOptions } from './memory/memory-storage.js'
export { RUN_PARTS } from './run-parts.js'
export {
  type ActionRow,
  type ArtifactRow,
  type BlockRunRow,
  type BrowserProfileRow,
  type BrowserSessionRow,
  type DebugSessionRow,
  type HostRow,
  type LeaseRow,
  type PlaybookRow,
  type Row,
  type RunBlockRow,
  type RunRow,
  type StepRow,
  type TableName,
  type Tables,
  type TaskRow,
  tableOf,
  tables,
  type ViewTokenRow,
  type WebhookDeliveryRow,
  type WorkflowRow,
} from './schema.js'
export {
  type AnyRow,
  type Changes,
  type CommitResult,
  type Computed,
  type Condition,
  type FindParams,
  increment,
  type NewEvent,
  type NewRow,
  type OrderBy,
  type Storage,
  type StorageCapabilities,
  type StoredEvent,
  storageNow,
  type Wake,
  type Where,
  type Write,
} from './storage.js'
export { type ColumnMeta, type TableMeta, tableMeta } from './table-meta.js'
export type { ArtifactType } from './tables/artifacts.js'
export type { ProfileKind } from './tables/browser-profiles.js'
export type { CloseReason, SessionStatus } from './tables/browser-sessions.js'
export type { BlockStatus, RunStatus, RunType } from './tables/runs.js'
export type { DeliveryStatus } from './tables/webhook-deliveries.js'
export type { WorkflowStatus } from './tables/workflows.js'
