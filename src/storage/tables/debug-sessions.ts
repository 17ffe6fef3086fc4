import { bool, instant, instantOrNull, table, text, textOrNull } from '../columns.js'

/** Status of a debug session. */
export type DebugSessionStatus = 'created' | 'completed'

/** A workflow that somebody edits on a live browser. At most one is live for each user and workflow. */
export const debugSessions = table({
  primaryKey: 'debugSessionId',
  columns: {
    /** This debug session. */
    debugSessionId: text(),
    /** Whose it is; written with the row and never changed. Every read of a public method has it as a condition. */
    organizationId: text(),
    /** Who edits: the host's own name. */
    userId: text(),
    /** The workflow that is edited, through all its versions. */
    workflowPermanentId: text(),
    /** The browser that its blocks run on; another one when the first was lost. */
    browserSessionId: text(),
    /** Whether that browser has a display that can be watched. */
    vncStreamingSupported: bool(),
    /** `created` while it is live. */
    status: text<DebugSessionStatus>(),
    /** When the row was written, by the storage's clock. */
    createdAt: instant(),
    /** When the row was last written, by the storage's clock. */
    modifiedAt: instant(),
    /** Null: not deleted. */
    deletedAt: instantOrNull(),
  },
  unique: [
    {
      name: 'debug_sessions_live',
      columns: ['organizationId', 'userId', 'workflowPermanentId'],
      where: { status: 'created' },
    },
  ],
  indexes: [['organizationId', 'userId', 'workflowPermanentId', 'createdAt']],
})

/** One block that was run by itself in a debug session. Written when its run is started; never changed afterwards. */
export const blockRuns = table({
  primaryKey: 'blockRunId',
  columns: {
    /** This execution. */
    blockRunId: text(),
    /** Whose it is; written with the row and never changed. Every read of a public method has it as a condition. */
    organizationId: text(),
    /** Who ran it: the host's own name. */
    userId: text(),
    /** The debug session; null: it is gone. */
    debugSessionId: textOrNull(),
    /** The workflow, through all its versions. */
    workflowPermanentId: text(),
    /** The block. */
    blockLabel: text(),
    /** The name of its output: `<label>_output`. */
    outputParameter: text(),
    /** The run that executed it. */
    workflowRunId: text(),
    /** When the row was written, by the storage's clock. */
    createdAt: instant(),
  },
  indexes: [['organizationId', 'workflowPermanentId', 'userId', 'createdAt'], ['debugSessionId', 'createdAt'], ['workflowRunId']],
})
