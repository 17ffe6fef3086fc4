import type { Action, Playbook, Step } from '../definition/index.js'
import type { Json, RunwrightError } from '../errors/index.js'
import type { ActionContext, ActionTexts } from './action-context.js'
import type { Recovery } from './action-result.js'

/** One attempt at one step as it is written down; texts without secrets. */
export interface StepRecord {
  readonly stepId: string
  /** Place of the step in the list, from 0; steps of nested playbooks count on. */
  readonly order: number
  /** Attempts at the step before this one. */
  readonly retryIndex: number
  readonly status: 'completed' | 'failed' | 'canceled'
  /** Why this attempt was made; null: it is the first. */
  readonly recovery: Recovery | null
  /** The playbook that the step stands in; null: the list itself. */
  readonly playbook: string | null
  /** What it gave; null: nothing. */
  readonly output: Json
  /** Tokens that models used for it; null or left out: no model. */
  readonly tokens?: number | null
}

/** Takes attempts at steps. What it throws changes nothing. */
export interface StepRecorder {
  nextStepId(): string
  /** Called when an attempt has ended. */
  record(step: StepRecord): void
}

/** Values that the templates in a playbook see. */
export interface PlaybookVariables {
  readonly values: Readonly<Record<string, Json>>
  /** By key, the run's parameter that a value is, where it is exactly one. */
  readonly sources: Readonly<Record<string, string | null>>
}

/** The playbooks that a list of steps may call. */
export interface PlaybookSource {
  /** @throws {PlaybookError} `PLAYBOOK_NOT_FOUND` */
  find(name: string): Promise<Playbook>
  /** Texts whose templates see these variables before everything else. */
  textsWith(variables: PlaybookVariables): ActionTexts
}

/** A step that an agent is asked to do in its stead. */
export interface HandOverParams {
  readonly step: Step
  /** Its action as its author wrote it, templates and all; null for a call of a playbook. */
  readonly action: Action | null
  /** How the last attempt failed. */
  readonly error: RunwrightError
  /** With the variables of the playbook that the step stands in. */
  readonly context: ActionContext
  /** The row of this attempt; null where steps are not recorded. */
  readonly stepId: string | null
  /** The playbook that the step stands in; null: the list itself. */
  readonly playbook: string | null
}

/** What an agent made of a step: only its goal counts, not how it was reached. */
export interface HandOverResult {
  readonly completed: boolean
  readonly reason?: string | undefined
  /** Tokens that its models used. */
  readonly tokens?: number | null
}

/** Has an agent do one step; the list goes on at the next one when it completed. */
export type HandOver = (params: HandOverParams) => Promise<HandOverResult>

/** With what a list of steps is performed. */
export interface SequenceOptions {
  /** Order of the first step. @default 0 */
  readonly firstStep?: number
  /** Place of the next action among those of the block attempt. By default they are counted from 0. */
  readonly nextStepIndex?: () => number
  /** Without it, steps are not recorded; actions are, all the same. */
  readonly recorder?: StepRecorder | undefined
  /** Without it, a list that calls a playbook fails with `PLAYBOOK_NOT_FOUND`. */
  readonly playbooks?: PlaybookSource | undefined
  /** Without it, `onFailure: 'agent'` is `'retry'`. */
  readonly handOver?: HandOver | undefined
  /** Whether elements that are not found are looked for by other recorded ways. @default true */
  readonly alternativeTargets?: boolean | undefined
}
