import { instant, int, table, text, textOrNull } from '../columns.js'

/** What a stored file is. */
export type ArtifactType = 'screenshot' | 'video' | 'har' | 'trace' | 'console_log' | 'download' | 'profile' | 'script' | 'pdf'

/** A stored file. The row is written after its bytes are safe. */
export const artifacts = table({
  primaryKey: 'artifactId',
  columns: {
    /** This file. */
    artifactId: text(),
    /** Whose it is; written with the row and never changed. Every read of a public method has it as a condition. */
    organizationId: text(),
    /** What it is. */
    type: text<ArtifactType>(),
    /** Key of the bytes in the artifact store. */
    storeKey: text(),
    /** Its name, made harmless. */
    filename: text(),
    /** Its media type, as whoever stored it said. */
    mimeType: text(),
    /** In bytes. */
    size: int(),
    /** In hex. */
    sha256: text(),
    /** The run that it came from; null: none. */
    workflowRunId: textOrNull(),
    /** The block attempt that it came from; null: none. */
    runBlockId: textOrNull(),
    /** That block's label; null: none. */
    blockLabel: textOrNull(),
    /** The session that it came from; null: it is the run's. */
    browserSessionId: textOrNull(),
    /** When the row was written, by the storage's clock. */
    createdAt: instant(),
  },
  indexes: [
    ['workflowRunId', 'createdAt'],
    ['browserSessionId', 'createdAt'],
  ],
})
