/**
 * Tables whose rows belong to one run, by `workflowRunId`, and go with it. Artifacts do too, but their bytes go first. A table that only
 * remembers a run that it came from, as a script does, is not among them.
 */
export const RUN_PARTS = ['run_blocks', 'actions', 'tasks', 'steps', 'webhook_deliveries', 'block_runs'] as const
