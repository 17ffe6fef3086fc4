export { absoluteUrl } from './absolute-url.js'
export type { ActionContext, ActionFiles, ActionPlace, ActionTexts, ElementMemory } from './action-context.js'
export type { ActionEnding, ActionRecord, ActionResult, Recovery } from './action-result.js'
export { ActionRouter, type ActionTimeouts } from './action-router.js'
export {
  type AgentBudget,
  type AgentJournal,
  type AgentOutcome,
  type AgentResult,
  AgentRunner,
  type AgentTab,
  type AgentTask,
  type AgentTools,
  type AgentUsage,
  type BrowserAgent,
  DEFAULT_AGENT_STEPS,
  DEFAULT_OBSERVATION_CHARS,
} from './agent/index.js'
export { bindAction } from './bind-action.js'
export { describeAction } from './describe-action.js'
export { ScopeProxy } from './network/scope-proxy.js'
export { createPageFacade, type PageCallOptions, type PageFacade, type TargetLike } from './page-facade.js'
export type { ActionScope, Guardrail, GuardrailRequest, GuardrailVerdict, ScopeRefusal } from './scope/action-scope.js'
export { canonicalHost, isPrivateName, isPublicAddress } from './scope/hosts.js'
export { ScopeGuard, type ScopeGuardOptions } from './scope/scope-guard.js'
export { parseScopePolicy } from './scope/scope-policy.js'
export { SequenceExecutor } from './sequence-executor.js'
export type {
  HandOver,
  HandOverParams,
  HandOverResult,
  PlaybookSource,
  PlaybookVariables,
  SequenceOptions,
  StepRecord,
  StepRecorder,
} from './sequence-ports.js'
export type { SequenceFailure, SequenceResult } from './sequence-result.js'
export {
  isFinalFailure,
  nextMove,
  provesNoEffect,
  type RecoveryMove,
  type StepFailure,
  type StepRecoveryState,
  touchesElement,
} from './step-recovery-policy.js'
export { StuckDetector, type StuckVerdict } from './stuck-detector.js'
