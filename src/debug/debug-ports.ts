import type { WorkflowEngine } from '../engine/index.js'
import type { SessionPool } from '../sessions/index.js'

/** What debug sessions need of a `WorkflowEngine`. */
export type DebugEngine = Pick<WorkflowEngine, 'getWorkflow' | 'startBlockRun'>

/** What debug sessions need of a `SessionPool`. */
export type DebugPool = Pick<SessionPool, 'create' | 'renew' | 'close'>
