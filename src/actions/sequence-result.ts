import type { RunwrightError } from '../errors/index.js'
import type { ActionEnding, ActionResult } from './action-result.js'

/** The failure that ended a list of steps. */
export interface SequenceFailure {
  /** Place of the step in the list, from 0; steps of nested playbooks count on. */
  readonly stepIndex: number
  /** Place of the step in its own list, from 0. */
  readonly listIndex: number
  readonly error: RunwrightError
  /** The playbook that the step stands in; null: the list itself. */
  readonly playbook: string | null
}

/** What became of a list of steps. */
export interface SequenceResult {
  /** Of each step the last attempt at its action, and at its `assert` where it has one; those of nested playbooks among them. */
  readonly results: readonly ActionResult[]
  /** The failure that ended the list; null when it went to its end. Failures with `onFailure: 'continue'` are in `results` only. */
  readonly failure: SequenceFailure | null
  /** The `complete` or `terminate` step that ended the list; null when there was none. */
  readonly ending: ActionEnding | null
  /** Steps that were begun, those of nested playbooks included. */
  readonly stepCount: number
  /** Steps that did what they should, but not at the first attempt. */
  readonly recoveredSteps: number
}
