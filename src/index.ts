export type { ActionResult, PageCallOptions, PageFacade, TargetLike } from './actions/index.js'
export {
  type BlockCompleted,
  type BlockContext,
  type BlockNotCompleted,
  type BlockResult,
  type BlockType,
  completed,
  defineBlock,
  failed,
  terminated,
} from './blocks/index.js'
export {
  type Action,
  type ActionInput,
  type BlockDefinition,
  type BlockInput,
  defineWorkflow,
  type Parameter,
  type ParameterInput,
  parseWorkflowDefinition,
  type Selectors,
  type Target,
  type WorkflowDefinition,
  type WorkflowDefinitionInput,
} from './definition/index.js'
export * from './engine/index.js'
export * from './errors/index.js'
export * from './events/index.js'
export * from './sessions/index.js'
export * from './storage/index.js'
export * from './streaming/index.js'
