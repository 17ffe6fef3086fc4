import type { ArtifactRow, NewEvent, NewRow, RunBlockRow, RunRow, Write } from '../../storage/index.js'

/** An instant on the millisecond. */
export const T0 = new Date('2026-03-01T10:00:00.123Z')

export const aRun = (id: string, values: Partial<RunRow> = {}): NewRow<RunRow> => ({
  workflowRunId: id,
  organizationId: 'org',
  workflowId: 'wf_1',
  workflowPermanentId: 'wpid_1',
  workflowTitle: 'Invoices',
  runType: 'workflow',
  status: 'queued',
  parameters: {},
  rootWorkflowRunId: id,
  ownsSession: false,
  isParked: false,
  hasDependents: false,
  takeovers: 0,
  pausedMs: 0,
  dryRun: false,
  priority: 0,
  leaseFence: 0,
  attempt: 0,
  stepCount: 0,
  actionCount: 0,
  createdAt: T0,
  modifiedAt: T0,
  ...values,
})

export const aBlock = (id: string, values: Partial<RunBlockRow> = {}): NewRow<RunBlockRow> => ({
  runBlockId: id,
  organizationId: 'org',
  workflowRunId: 'wr_1',
  label: id,
  type: 'wait',
  status: 'running',
  attempt: 1,
  sequence: 1,
  startedAt: T0,
  ...values,
})

export const anArtifact = (id: string, values: Partial<ArtifactRow> = {}): NewRow<ArtifactRow> => ({
  artifactId: id,
  organizationId: 'org',
  type: 'screenshot',
  storeKey: `org/${id}`,
  filename: 'page.png',
  mimeType: 'image/png',
  size: 1,
  sha256: '00',
  createdAt: T0,
  ...values,
})

export const anEvent = (id: string, payload: NewEvent['payload'] = {}): NewEvent => ({
  id,
  type: 'run.started',
  organizationId: 'org',
  payload,
})

export const insertRun = (id: string, values: Partial<RunRow> = {}): Write => ({ op: 'insert', table: 'runs', row: aRun(id, values) })

export const insertBlock = (id: string, values: Partial<RunBlockRow> = {}): Write => ({
  op: 'insert',
  table: 'run_blocks',
  row: aBlock(id, values),
})

export const append = (stream: string, ...ids: string[]): Write => ({ op: 'append', stream, events: ids.map((id) => anEvent(id)) })
