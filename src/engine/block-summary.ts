import type { Json } from '../errors/index.js'
import { type DownloadedFile, downloadedFileSchema, type RunResult } from '../events/index.js'
import type { RunBlockRow } from '../storage/index.js'

/** What a run's result says of its blocks. */
export type BlockSummary = Pick<RunResult, 'errors' | 'extractedInformation' | 'downloadedFiles' | 'screenshotArtifactIds'>

type EndedBlock = Pick<RunBlockRow, 'label' | 'type' | 'status' | 'output' | 'failureReason' | 'errorCode'>

/** Sums up blocks in the order in which they ended. Pure. */
export function summarizeBlocks(blocks: readonly EndedBlock[]): BlockSummary {
  return {
    errors: blocks.flatMap(({ label, status, errorCode, failureReason }) =>
      status === 'completed' || status === 'running' ? [] : [{ blockLabel: label, code: errorCode, reason: failureReason ?? status }],
    ),
    extractedInformation: blocks.flatMap(({ type, status, output }) => {
      if (status !== 'completed') return []
      if (type === 'extraction') return [output]
      const extracted = field(output, 'extractedInformation')
      return extracted === undefined || extracted === null ? [] : [extracted]
    }),
    downloadedFiles: blocks.flatMap(({ output }) => list(field(output, 'downloadedFiles')).filter(isDownloadedFile)),
    screenshotArtifactIds: blocks.flatMap(({ output }) =>
      list(field(output, 'screenshotArtifactIds')).filter((id) => typeof id === 'string'),
    ),
  }
}

const field = (value: Json, key: string): Json | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, key)
    ? (value as { [key: string]: Json })[key]
    : undefined
const list = (value: Json | undefined): readonly unknown[] => (Array.isArray(value) ? value : [])
/** Blocks of the host may put anything into their outputs. */
const isDownloadedFile = (value: unknown): value is DownloadedFile => downloadedFileSchema.safeParse(value).success
