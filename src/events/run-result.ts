import { z } from 'zod'
import type { Json } from '../errors/index.js'

const jsonValue = z.json() as unknown as z.ZodType<Json>

/** A file that a run downloaded; its bytes are read through the artifact store. */
export const downloadedFileSchema = z.object({
  artifactId: z.string(),
  filename: z.string(),
  /** In bytes. */
  size: z.number().int(),
  /** In hex. */
  sha256: z.string(),
})
/** A file that a run downloaded. */
export type DownloadedFile = z.infer<typeof downloadedFileSchema>

/** The statuses in which a run ends, for good. */
export const finalRunStatuses = ['completed', 'failed', 'terminated', 'canceled', 'timed_out'] as const

/** What a run came to: the value of `run.result()`, the payload of its final event and the body of its webhook. Instants are ISO strings. */
export const runResultSchema = z.object({
  workflowRunId: z.string(),
  workflowPermanentId: z.string(),
  workflowTitle: z.string(),
  runType: z.enum(['workflow', 'task', 'block', 'action']),
  status: z.enum(finalRunStatuses),
  /** Why it did not complete. */
  failureReason: z.string().nullable(),
  errorCode: z.string().nullable(),
  /** Errors of blocks, swallowed ones included. */
  errors: z.array(z.object({ blockLabel: z.string(), code: z.string().nullable(), reason: z.string() })),
  /** Secrets appear as references, `{{ KEY }}`. */
  parameters: z.record(z.string(), jsonValue),
  /** By `<label>_output`. */
  outputs: z.record(z.string(), jsonValue),
  extractedInformation: z.array(jsonValue),
  downloadedFiles: z.array(downloadedFileSchema),
  screenshotArtifactIds: z.array(z.string()),
  /** The recording of its display, where one was made. */
  recordingArtifactId: z.string().nullable(),
  stepCount: z.number().int(),
  actionCount: z.number().int(),
  /** What models used; null: none was asked. */
  usage: z.object({ tokens: z.number().int(), calls: z.number().int() }).nullable(),
  browserSessionId: z.string().nullable(),
  /** From queued to started. */
  queuedSeconds: z.number(),
  /** From started to finished, pauses included. */
  durationSeconds: z.number(),
  createdAt: z.string(),
  queuedAt: z.string().nullable(),
  startedAt: z.string().nullable(),
  finishedAt: z.string(),
  /** Number of claims: 1 unless another host took the run over. */
  attempt: z.number().int(),
  runMetadata: z.record(z.string(), z.string()).nullable(),
})
/** What a run came to. */
export type RunResult = z.infer<typeof runResultSchema>
