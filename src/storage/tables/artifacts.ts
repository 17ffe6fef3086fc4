import { instant, int, table, text, textOrNull } from '../columns.js'

/** What a stored file is. */
export type ArtifactType = 'screenshot' | 'video' | 'har' | 'trace' | 'console_log' | 'download' | 'profile' | 'script' | 'pdf'

/** A stored file. The row is written after its bytes are safe. */
export const artifacts = table({
  primaryKey: 'artifactId',
  columns: {
    artifactId: text(),
    organizationId: text(),
    type: text<ArtifactType>(),
    /** Key of the bytes in the artifact store. */
    storeKey: text(),
    filename: text(),
    mimeType: text(),
    /** In bytes. */
    size: int(),
    /** In hex. */
    sha256: text(),
    workflowRunId: textOrNull(),
    runBlockId: textOrNull(),
    blockLabel: textOrNull(),
    browserSessionId: textOrNull(),
    createdAt: instant(),
  },
  indexes: [
    ['workflowRunId', 'createdAt'],
    ['browserSessionId', 'createdAt'],
  ],
})
