export { type CloseOnSignalsOptions, closeOnSignals } from './close-on-signals.js'
export { type CredentialProvider, EnvCredentialProvider, MemoryCredentialProvider } from './credentials.js'
export {
  type DispatchHandler,
  type DispatchOptions,
  InProcessDispatcher,
  type InProcessDispatcherOptions,
  type RunDispatcher,
} from './dispatcher.js'
export type { WorkflowEngineOptions } from './engine-options.js'
export type {
  ArtifactRef,
  CancelRunParams,
  CreateWorkflowParams,
  LastRunForSessionParams,
  ListRunsParams,
  PruneParams,
  ResumeRunParams,
  RunEventsParams,
  RunRef,
  StartRunParams,
  UpdateWorkflowParams,
  WaitForRunParams,
  WorkflowRef,
} from './engine-params.js'
export type { OrganizationEngine } from './organization-engine.js'
export type { RunPause } from './people/run-pause.js'
export type { DeletePlaybookParams, ListPlaybooksParams, PlaybookRef, SavePlaybookParams } from './playbook-params.js'
export type { StoredPlaybook } from './playbooks.js'
export type { RunSessions } from './run-browser.js'
export type { CodeHandler, HandlerParams } from './run-environment.js'
export type { StopOptions } from './run-executor.js'
export type { StoredArtifact } from './run-files.js'
export type { HandleEventsOptions, RunAnswer, RunHandle, WaitOptions } from './run-handle.js'
export type { Attributes, Notifier, PauseNotice, Span, SpanContextOf, Tracer } from './run-ports.js'
export type { PruneResult } from './run-pruner.js'
export type { Run } from './run-reader.js'
export { canTransition, type FinalRunStatus, isFinalStatus, RUN_TRANSITIONS } from './run-status.js'
export type { RunTimeline } from './run-timeline.js'
export type { OrganizationPolicies, OrganizationPolicy } from './scope-policies.js'
export type {
  AgentActionInput,
  AgentActionType,
  RunActionParams,
  SingleActionInput,
} from './single-action-params.js'
export type { SingleActionResult } from './single-action-result.js'
export type { RunTaskParams } from './task-params.js'
export type { TimelineAction, TimelineAttempt, TimelineBlock, TimelineStep, TimelineTask } from './timeline-tree.js'
export {
  type VerifiedWebhook,
  type VerifyWebhookParams,
  verifyWebhook,
  type WebhookDelivery,
  type WebhookHeaders,
  type WebhookOptions,
  type WebhookSecretOf,
  type WebhookSecretReference,
} from './webhooks/index.js'
export type { WorkflowCalls } from './workflow-calls.js'
export { type StartBlockRunParams, WorkflowEngine } from './workflow-engine.js'
export type { Workflow } from './workflows.js'
