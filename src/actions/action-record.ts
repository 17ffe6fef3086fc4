import { createHash } from 'node:crypto'
import type { Action, Target } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import type { ActionContext, ActionPlace, ActionTexts } from './action-context.js'
import type { ActionRecord, ActionResult } from './action-result.js'

export interface ActionRecordParams {
  /** With its templates. */
  readonly authored: Action
  /** With its templates rendered, secrets as references. */
  readonly bound: Action
  readonly result: ActionResult
  readonly context: ActionContext
  readonly place: ActionPlace
  /** Artifact of the picture that was taken when it failed. */
  readonly picture: string | null
  readonly targetKey: string | null
}

/** The record of an action. Pure. */
export function actionRecord({ authored, bound, result, context, place, picture, targetKey }: ActionRecordParams): ActionRecord {
  const { texts } = context
  const { code, message } = result.error ?? {}
  return {
    actionId: result.actionId,
    workflowRunId: context.workflowRunId,
    workflowPermanentId: context.workflowPermanentId,
    blockLabel: context.blockLabel,
    runBlockId: context.runBlockId,
    stepId: place.stepId ?? null,
    stepIndex: place.stepIndex,
    type: result.type,
    target: 'target' in bound ? texts.redact((bound.target ?? null) as Json) : null,
    targetKey,
    element: result.element === null ? null : texts.redact(result.element as unknown as Record<string, Json>),
    intention: texts.redact(bound.intention ?? null),
    sourceParameter: sourceParameter(authored, texts),
    value: texts.redact(recordedValue(bound)),
    status: result.status,
    error: code === undefined || message === undefined ? null : texts.redact({ code, message }),
    url: texts.redact(result.url),
    screenshotArtifactId: result.type === 'screenshot' && typeof result.value === 'string' ? result.value : picture,
    dialogs: result.dialogs.length === 0 ? null : result.dialogs.map((dialog) => ({ ...dialog })),
    recovery: place.recovery ?? null,
    dryRun: result.dryRun,
    durationMs: Math.round(result.durationMs * 1_000) / 1_000,
  }
}

/** Stable text of an action's target, by which its element is remembered from run to run; null without one. Pure. */
export function targetKeyOf(bound: Action, texts: Pick<ActionTexts, 'redact'>): string | null {
  if (!('target' in bound) || bound.target === undefined) return null
  return targetKey(texts.redact(bound.target as Json) as Target)
}

/** Short, so that an index holds it whatever the length of a selector. */
function targetKey(target: Target): string {
  const entries = Object.entries(target).sort(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256').update(JSON.stringify(entries)).digest('base64url')
}

function sourceParameter(authored: Action, texts: ActionTexts): string | null {
  const value = authoredValue(authored)
  return value === null ? null : texts.sourceOf(value)
}

/** The text of an action that a parameter is likely to be. */
function authoredValue(action: Action): string | null {
  switch (action.type) {
    case 'input_text':
      return action.value
    case 'select_option':
      return action.value ?? null
    case 'upload_file':
      return action.file
    case 'goto_url':
    case 'new_tab':
      return action.url ?? null
    default:
      return null
  }
}

function recordedValue(action: Action): Json {
  switch (action.type) {
    case 'input_text':
      return action.value
    case 'select_option':
      return action.value ?? action.values ?? null
    case 'press_key':
      return action.key
    case 'upload_file':
      return action.file.startsWith('data:') ? `data: (${action.file.length} characters)` : action.file
    case 'goto_url':
    case 'new_tab':
      return action.url ?? null
    case 'wait':
      return action.waitSec
    case 'extract':
      return action.selectors as Json
    default:
      return null
  }
}
