import type { ActionContext } from './action-context.js'
import type { ActionEnding } from './action-result.js'
import type { PlaybookVariables } from './sequence-ports.js'
import type { SequenceFailure } from './sequence-result.js'
import type { StepFailure } from './step-recovery-policy.js'

/** Where a list of steps stands, and what its templates see. */
export interface StepFrame {
  readonly context: ActionContext
  /** Null: the list itself. */
  readonly playbook: string | null
  readonly variables: PlaybookVariables
}

/** Why a list ended before its end. */
export interface ListEnd {
  readonly failure: SequenceFailure | null
  /** What the policy of the step around it is told. */
  readonly cause: StepFailure | null
  readonly ending: ActionEnding | null
}
