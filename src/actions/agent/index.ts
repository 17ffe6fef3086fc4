export { type AgentOutcome, AgentRunner, DEFAULT_AGENT_STEPS, DEFAULT_OBSERVATION_CHARS } from './agent-runner.js'
export type { AgentJournal } from './agent-work.js'
export type { AgentBudget, AgentResult, AgentTab, AgentTask, AgentTools, AgentUsage, BrowserAgent } from './browser-agent.js'
