import type { Action, Target } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import type { BrowserHandle, ElementDescriptor } from '../sessions/ports.js'
import type { ActionRecord, ActionResult, Recovery } from './action-result.js'
import type { ActionScope } from './scope/action-scope.js'
import type { StuckDetector } from './stuck-detector.js'

/** What a rendered text may hold beside itself: references to secrets, made by our own rendering only. */
export interface ActionTexts {
  /** Renders a template; secrets come out as references. */
  render(template: string): string
  /** A copy with the secrets where our references stand; called at the moment of use, and never stored. */
  reveal<T>(value: T): Promise<T>
  /** A form that may be stored: references as `{{ KEY }}`, secrets that came back from a page replaced. */
  redact<T extends Json>(value: T): T
  /** Key of the parameter that a template is, where it is exactly one (`{{ key }}`); null otherwise. */
  sourceOf(template: string): string | null
}

/** The files of a run as actions need them. */
export interface ActionFiles {
  /** Stores a picture; gives its artifact id. */
  saveScreenshot(picture: Buffer, format: 'png' | 'jpeg'): Promise<string>
  /**
   * The content that an `upload_file` action means, as a data address. An artifact id or a data address; never a path, as definitions
   * come from outside.
   */
  dataAddress(reference: string): Promise<string>
}

/** What earlier actions have seen of the elements that they touched. */
export interface ElementMemory {
  /** The element that was touched last under this key, in this run or an earlier one of the workflow; null: none. Never rejects. */
  recall(targetKey: string): Promise<ElementDescriptor | null>
}

/** Where an action stands. */
export interface ActionPlace {
  /** Among the actions of its block attempt, from 0. */
  readonly stepIndex: number
  /** The attempt at a step that it belongs to. */
  readonly stepId?: string | null
  readonly recovery?: Recovery | null
  /** Another way to the element, taken as it is (no template) in place of the action's own target; its record keeps the key of that one. */
  readonly alternativeTarget?: Target | null
  /** Whether its step says that it must not be done twice. @default false */
  readonly mustNotRepeat?: boolean
  /** Whether a picture of the page is kept when it fails. @default true */
  readonly pictureOnFailure?: boolean
}

/** Everything that one block attempt lends to its actions. */
export interface ActionContext {
  readonly organizationId: string
  readonly workflowRunId: string
  readonly workflowPermanentId: string
  readonly runBlockId: string
  readonly blockLabel: string
  /** Aborts with the block: cancel, time-out, lost lease. */
  readonly signal: AbortSignal
  readonly texts: ActionTexts
  readonly files: ActionFiles
  readonly elements: ElementMemory
  /** What the run may do and where; null: no policy, no check. */
  readonly scope: ActionScope | null
  /** Counts errors and repetitions of this attempt. */
  readonly stuck: StuckDetector
  /** Whether actions are only checked: gate, scope, target. Nothing is done then. */
  readonly dryRun: boolean
  /** The run's browser; starts it when it is not there yet. */
  browser(): Promise<BrowserHandle>
  /** Called just before an action acts on its page, rendered, secrets as references; what it rejects with fails the action. */
  readonly beforeActing?: ((action: Action, mustNotRepeat: boolean) => Promise<void>) | undefined
  /** Takes what is to be recorded, with the result that it tells of. It must not throw, and nothing waits for it. */
  record(record: ActionRecord, result: ActionResult): void
}
