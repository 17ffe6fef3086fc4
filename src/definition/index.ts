export {
  ACTION_TYPES,
  type Action,
  type ActionInput,
  type ActionOf,
  type ActionType,
  ASSERT_STATES,
  actionSchema,
  actionSchemas,
  isIdempotent,
  LOAD_STATES,
  STEP_FAILURE_MODES,
  type StepFailureMode,
  WAIT_STATES,
} from './actions.js'
export { BLOCK_COMMON_KEYS, type BlockCommonInput, type BlockDefinition, type BlockSchema, blockCommonSchema } from './block-common.js'
export {
  type BlockInput,
  type BlockInputOf,
  type BlockOf,
  type Branch,
  type BuiltInBlock,
  type BuiltInBlockType,
  branchSchema,
  builtInBlockSchemas,
  type ConditionalBlock,
  codeConfigSchema,
  conditionalConfigSchema,
  extractionConfigSchema,
  type ForLoopBlock,
  fileDownloadConfigSchema,
  forLoopConfigSchema,
  type GoalConfig,
  goalConfigSchema,
  gotoUrlConfigSchema,
  humanInteractionConfigSchema,
  isConditionalBlock,
  isLoopBlock,
  type LoopBlock,
  type LoopChildrenInput,
  loginConfigSchema,
  type TaskConfig,
  taskConfigSchema,
  validationConfigSchema,
  type WhileLoopBlock,
  waitConfigSchema,
  whileLoopConfigSchema,
  workflowTriggerConfigSchema,
} from './blocks.js'
export { assignBranchIds } from './branch-ids.js'
export { computeConditionalScopes } from './conditional-scopes.js'
export { VERBATIM_KEYS } from './content-rules.js'
export { type Criteria, criteriaSchema } from './criteria.js'
export {
  analyzeGraph,
  buildGraph,
  type GraphBlock,
  type GraphOptions,
  nextAfter,
  successorsOf,
  type WorkflowGraph,
} from './graph.js'
export {
  checkJsonSchema,
  type JsonMismatch,
  type JsonSchema,
  type JsonSchemaError,
  type JsonValidation,
  validateJson,
} from './json-schema.js'
export { literalTemplate } from './literal-template.js'
export { mapJson } from './map-json.js'
export { type CoercedParameters, coerceParameters, contextPath, resolveContextParameter, type UnknownKey } from './parameters.js'
export {
  type ContextParameter,
  contextParameterSchema,
  PARAMETER_TYPES,
  type Parameter,
  type ParameterInput,
  type ParameterType,
  parameterSchema,
  RESERVED_NAMES,
  type SecretParameter,
  secretParameterSchema,
  type WorkflowParameter,
  workflowParameterSchema,
} from './parameters-schema.js'
export { type ParseDefinitionOptions, parseWorkflowDefinition } from './parse.js'
export { type ParsePlaybookOptions, parsePlaybook } from './parse-playbook.js'
export { parsePath, readPath } from './paths.js'
export {
  MAX_PLAYBOOK_DEPTH,
  type Playbook,
  type PlaybookInput,
  type PlaybookStep,
  playbookSchema,
  playbookStepSchema,
  type Step,
  type StepEntry,
  type StepInput,
  stepSchema,
  toStep,
} from './playbook.js'
export { createRedactor, type Redactor, type SecretValue } from './redactor.js'
export { type ScopePolicy, type ScopePolicyInput, scopePolicySchema } from './scope-policy.js'
export { type CredentialValue, type SecretField, SecretReferences, type SecretReferencesOptions } from './secrets.js'
export { RULE_TYPES, type Rule, type RuleType, ruleSchema, type SelectorRule, type Selectors, selectorsSchema } from './selectors.js'
export { nearestName } from './suggest.js'
export { describeTarget, LOCATOR_KEYS, type Target, targetSchema } from './target.js'
export { TemplateReference } from './template-values.js'
export { createTemplates, type TemplateScope, type Templates, type TemplatesOptions } from './templates.js'
export { isTruthyText } from './truth.js'
export { matchesUrl } from './url-pattern.js'
export { defineWorkflow, type WorkflowDefinition, type WorkflowDefinitionInput, workflowDefinitionSchema } from './workflow-definition.js'
