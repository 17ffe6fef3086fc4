import type pg from 'pg'
import type { CreateWorkflowParams, WorkflowEngineOptions } from '../../src/index.js'
import { MemoryCredentialProvider } from '../../src/index.js'

/** Where a host ends itself: before or after its n-th commit, from 1. */
export interface KillPoint {
  readonly commit: number
  readonly when: 'before' | 'after'
}

export const WEBHOOK_SECRET = 'a secret of the drill'
const LABELS = ['first', 'step', 'yes', 'last', 'cleanup'] as const

/** A run with everything that a crash can leave half done: a lane, a conditional, a loop, a browser, a finally block, a webhook. */
export const drillWorkflow = {
  title: 'Drill',
  runSequentially: true,
  definition: {
    finallyBlockLabel: 'cleanup',
    blocks: [
      { type: 'code', label: 'first', handler: 'first', nextBlockLabel: 'loop' },
      {
        type: 'for_loop',
        label: 'loop',
        loopVariableReference: 'first_output.values',
        loopBlocks: [{ type: 'code', label: 'step', handler: 'step' }],
        nextBlockLabel: 'choice',
      },
      {
        type: 'conditional',
        label: 'choice',
        branches: [
          { criteria: { type: 'jinja2_template', expression: '{{ first_output.values | length == 2 }}' }, nextBlockLabel: 'open' },
          { isDefault: true, nextBlockLabel: 'last' },
        ],
      },
      { type: 'goto_url', label: 'open', url: 'https://example.com/', nextBlockLabel: 'yes' },
      { type: 'code', label: 'yes', handler: 'yes', nextBlockLabel: 'last' },
      { type: 'code', label: 'last', handler: 'last' },
      { type: 'code', label: 'cleanup', handler: 'cleanup' },
    ],
  },
} as const satisfies CreateWorkflowParams

/** Blocks of which each execution is written down past the storage, and how often a run that goes through executes them. */
export const EXPECTED_EFFECTS: Readonly<Record<string, number>> = { first: 1, step: 2, yes: 1, last: 1, cleanup: 1 }

export const drillOptions = {
  pool: { organizationId: 'acme', leaseTtlMs: 1_500, reapIntervalMs: 300 },
  engine: (effects: pg.Client, schema: string, hostId: string) =>
    ({
      organizationId: 'acme',
      leaseTtlMs: 1_000,
      credentials: { memory: new MemoryCredentialProvider({ webhook: WEBHOOK_SECRET }) },
      webhooks: { secret: { provider: 'memory', name: 'webhook' }, allowPrivateAddresses: true, timeoutMs: 1_000 },
      handlers: Object.fromEntries(
        LABELS.map((label) => [
          label,
          async () => {
            await effects.query(`INSERT INTO "${schema}_effects".effects (label, host) VALUES ($1, $2)`, [label, hostId])
            return label === 'first' ? { values: [1, 2] } : { label }
          },
        ]),
      ),
    }) satisfies Partial<WorkflowEngineOptions>,
}
