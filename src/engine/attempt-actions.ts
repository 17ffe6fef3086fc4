import { type ActionContext, type ActionRecord, StuckDetector } from '../actions/index.js'
import { type BlockDefinition, describeTarget, type Target } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import type { BlockEntry } from './block-journal.js'
import { readAsDataAddress, saveRunFile } from './run-files.js'
import type { AttemptIntents } from './run-intent.js'
import type { RunState } from './run-state.js'

export interface AttemptActionsParams {
  readonly state: RunState
  readonly block: BlockDefinition
  readonly entry: BlockEntry
  readonly signal: AbortSignal
  /** Called for each action that is recorded. */
  readonly onRecord: () => void
  /** Writes down what the attempt is about to do; without it, nothing has to be known of that. */
  readonly intents?: AttemptIntents | undefined
  /** Whether an agent chooses the actions: one that gets nowhere is stopped. @default false */
  readonly byAgent?: boolean
}

/** What one block attempt lends to its actions: texts, browser, files, and the journal that records them. */
export function attemptActions({ state, block, entry, signal, onRecord, intents, byAgent = false }: AttemptActionsParams): ActionContext {
  const { environment, secrets, scope, journal } = state
  const stuck = new StuckDetector(() => byAgent)
  return {
    organizationId: entry.organizationId,
    workflowRunId: entry.workflowRunId,
    workflowPermanentId: state.run.workflowPermanentId,
    runBlockId: entry.runBlockId,
    blockLabel: block.label,
    signal,
    texts: {
      render: (template) => environment.templates.render(template, scope.lookUp),
      reveal: async <T>(value: T) => (await secrets.resolveDeep(value as Json)) as T,
      redact: <T extends Json>(value: T) => secrets.redact(value) as T,
      sourceOf: (template) => sourceOf(template, (key) => Object.hasOwn(state.run.parameters, key)),
    },
    elements: state.elements.of(block.label),
    scope: state.guard.scope,
    stuck,
    dryRun: state.run.dryRun,
    files: {
      saveScreenshot: async (picture, format) => {
        const filename = `${block.label}-${entry.attempt}.${format === 'jpeg' ? 'jpg' : 'png'}`
        return (await saveRunFile({ state, entry, type: 'screenshot', filename, body: picture, signal })).artifactId
      },
      dataAddress: (reference) => readAsDataAddress(environment.artifacts, entry.organizationId, reference),
    },
    browser: () => state.browser.open(),
    beforeActing: intents === undefined ? undefined : (action, mustNotRepeat) => intents.beforeAction(action, mustNotRepeat),
    record: (record, { verdict }) => {
      onRecord()
      state.elements.note(record)
      state.actionCount++
      journal.stage({
        op: 'insert',
        table: 'actions',
        row: { ...record, organizationId: entry.organizationId, createdAt: state.time.now() },
      })
      stageActionEvent(state, record)
      if (verdict !== 'ok') stageStuckEvent(state, record, verdict, stuck.reason)
      journal.flushSoon()
    },
  }
}

const SOLE_PARAMETER = /^\s*\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}\s*$/

/** The variable that a template is, where it is exactly one. Pure. */
export const soleVariable = (template: string): string | undefined => SOLE_PARAMETER.exec(template)?.[1]

/** The parameter that a template is, where it is exactly one. Pure. */
function sourceOf(template: string, isParameter: (key: string) => boolean): string | null {
  const key = soleVariable(template)
  return key !== undefined && isParameter(key) ? key : null
}

/**
 * The same for actions whose texts are values, no templates: a handler's come from pages, too, and a page must not be able to name a
 * secret.
 */
export function literalActions(context: ActionContext): ActionContext {
  return { ...context, texts: { ...context.texts, render: (text) => text, reveal: async (value) => value, sourceOf: () => null } }
}

function stageActionEvent({ journal }: RunState, record: ActionRecord): void {
  const { workflowRunId, runBlockId, blockLabel, actionId, stepIndex, type, intention, url, status } = record
  const error = record.error as { code: string; message: string } | null
  const description = record.target === null ? type : `${type} ${describeTarget(record.target as Target)}`
  const shared = {
    workflowRunId,
    runBlockId,
    blockLabel,
    actionId,
    stepIndex,
    type,
    description,
    intention,
    url,
    durationMs: record.durationMs ?? 0,
  }
  if (status === 'blocked')
    journal.stageEvent('action.blocked', { ...shared, error: error ?? { code: 'ACTION_BLOCKED', message: 'refused' } })
  else journal.stageEvent('action.performed', { ...shared, status, error })
}

function stageStuckEvent({ journal }: RunState, record: ActionRecord, verdict: 'warn' | 'stop', reason: string | null): void {
  const { workflowRunId, runBlockId, blockLabel, actionId, stepIndex } = record
  journal.stageEvent('action.stuck', { workflowRunId, runBlockId, blockLabel, actionId, stepIndex, verdict, reason: reason ?? 'stuck' })
}
