import type { WorkflowDefinition } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import type { RunResult } from '../events/index.js'
import type { RunRow } from '../storage/index.js'
import type { BlockSummary } from './block-summary.js'
import type { RunOutcome } from './run-outcome.js'

/** What a result takes from the row of its run. */
export type RunFacts = Pick<
  RunRow,
  | 'workflowRunId'
  | 'workflowPermanentId'
  | 'workflowTitle'
  | 'runType'
  | 'parameters'
  | 'stepCount'
  | 'queuedAt'
  | 'startedAt'
  | 'createdAt'
  | 'attempt'
  | 'runMetadata'
>

export interface RunResultParams {
  /** The run as it stood before its end. */
  readonly run: RunFacts
  readonly outcome: RunOutcome
  readonly summary: BlockSummary
  readonly outputs: Readonly<Record<string, Json>>
  /** Declared secrets appear as references. */
  readonly secretKeys: readonly string[]
  readonly finishedAt: Date
  readonly actionCount: number
  readonly browserSessionId: string | null
  /** What models used; null: none was asked. @default null */
  readonly usage?: RunResult['usage']
}

/** What a run came to. Pure. */
export function buildRunResult(params: RunResultParams): RunResult {
  const { run, outcome, finishedAt } = params
  return {
    workflowRunId: run.workflowRunId,
    workflowPermanentId: run.workflowPermanentId,
    workflowTitle: run.workflowTitle,
    runType: run.runType,
    status: outcome.status,
    failureReason: outcome.reason,
    errorCode: outcome.errorCode,
    ...params.summary,
    parameters: {
      ...run.parameters,
      ...Object.fromEntries(params.secretKeys.map((key) => [key, `{{ ${key} }}`])),
    } as RunResult['parameters'],
    outputs: params.outputs as RunResult['outputs'],
    recordingArtifactId: null,
    stepCount: run.stepCount,
    actionCount: params.actionCount,
    usage: params.usage ?? null,
    browserSessionId: params.browserSessionId,
    queuedSeconds: secondsBetween(run.queuedAt, run.startedAt ?? finishedAt),
    durationSeconds: secondsBetween(run.startedAt, finishedAt),
    createdAt: run.createdAt.toISOString(),
    queuedAt: run.queuedAt?.toISOString() ?? null,
    startedAt: run.startedAt?.toISOString() ?? null,
    finishedAt: finishedAt.toISOString(),
    attempt: run.attempt,
    runMetadata: run.runMetadata,
  }
}

/** The keys of declared secrets. */
export const secretKeysOf = ({ parameters }: Pick<WorkflowDefinition, 'parameters'>): string[] =>
  parameters.flatMap(({ kind, key }) => (kind === 'secret' ? [key] : []))

const secondsBetween = (from: Date | null, to: Date) => (from === null ? 0 : Math.max(0, to.getTime() - from.getTime()) / 1_000)
