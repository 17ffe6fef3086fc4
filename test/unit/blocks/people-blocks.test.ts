import { describe, expect, it } from 'vitest'
import {
  type BlockContext,
  builtInBlocks,
  type PauseDecision,
  type TriggeredRun,
  type TriggerRunRequest,
} from '../../../src/blocks/index.js'
import { createTemplates, parseWorkflowDefinition } from '../../../src/definition/index.js'
import type { Json } from '../../../src/errors/index.js'
import { failure } from '../engine/kit.js'

/** Runs a block with what it asks of its context answered by the test. */
async function execute(block: { type: string; [key: string]: unknown }, asked: Partial<BlockContext>, values: Record<string, Json> = {}) {
  const { blocks } = parseWorkflowDefinition({ blocks: [{ label: 'it', ...block }] } as never)
  const templates = createTemplates()
  const context = {
    render: (text: string) => templates.render(text, values),
    renderValue: (text: string) => templates.renderValue(text, values),
    ...asked,
  } as BlockContext
  const type = builtInBlocks.find(({ type }) => type === block.type)
  if (type === undefined || blocks[0] === undefined) throw new Error('no such type')
  return type.execute(blocks[0] as never, context)
}

const decided = (decision: PauseDecision['decision']): PauseDecision => ({
  decision,
  data: { amount: 7 },
  by: 'Ada',
  at: '2026-01-01T00:00:00.000Z',
})
const issues = (block: object) => {
  try {
    parseWorkflowDefinition({ blocks: [{ label: 'it', ...block }] } as never)
    return []
  } catch (error) {
    return (error as { issues: { path: unknown; message: string }[] }).issues.map(({ path, message }) => [path, message])
  }
}

describe('human_interaction', () => {
  const ask = { type: 'human_interaction', instructions: 'Pay {{ amount }}?' }

  it('asks with rendered texts, defaults filled in, and has no deadline but its own', async () => {
    let request: unknown
    const pause = async (asked: unknown) => {
      request = asked
      return decided('approve')
    }
    expect(await execute(ask, { pause }, { amount: 7 })).toEqual({ status: 'completed', output: { ...decided('approve') } })
    expect(request).toEqual({
      ...{ instructions: 'Pay 7?', positiveDescriptor: 'Approve', negativeDescriptor: 'Reject' },
      ...{ recipients: [], timeoutMs: 7_200_000 },
    })
    const own = { positiveDescriptor: 'Pay {{ amount }}', negativeDescriptor: 'Keep', recipients: ['{{ who }}'], timeoutSeconds: 0.5 }
    await execute({ ...ask, ...own }, { pause }, { amount: 7, who: 'ada@acme.test' })
    expect(request).toMatchObject({
      positiveDescriptor: 'Pay 7',
      negativeDescriptor: 'Keep',
      recipients: ['ada@acme.test'],
      timeoutMs: 500,
    })
    expect(builtInBlocks.filter(({ ownsTimeout }) => ownsTimeout).map(({ type }) => type)).toEqual(['human_interaction'])
  })

  it('fails when it is rejected, and times out when nobody decides; what was said is kept', async () => {
    expect(await execute(ask, { pause: async () => decided('reject') })).toMatchObject({
      ...{ status: 'failed', errorCode: 'REJECTED', failureReason: 'rejected by Ada' },
      output: decided('reject'),
    })
    expect(await execute(ask, { pause: async () => decided('timeout') })).toMatchObject({
      ...{ status: 'timed_out', errorCode: 'HUMAN_INTERACTION_TIMED_OUT', failureReason: 'nobody decided within 7200 seconds' },
      output: { decision: 'timeout' },
    })
  })

  it('takes no result of its own when its run is left as it is: what the pause throws goes through', async () => {
    const suspended = new Error('suspended')
    expect(await failure(execute(ask, { pause: () => Promise.reject(suspended) }))).toBe(suspended)
  })

  it.each([
    [{ timeoutSeconds: 0 }, 'timeoutSeconds'],
    [{ timeoutSeconds: 86_401 }, 'timeoutSeconds'],
    [{ instructions: '' }, 'instructions'],
    [{ recipients: [''] }, 'recipients'],
  ])('refuses %j', (more, field) => {
    const found = issues({ ...ask, instructions: 'Look', ...more })
    expect(found).toHaveLength(1)
    expect(found[0]?.[0]).toContain(field)
  })
})

describe('workflow_trigger', () => {
  const trigger = { type: 'workflow_trigger', workflowPermanentId: 'wpid_{{ n }}' }
  const ended: TriggeredRun = { workflowRunId: 'wr_2', status: 'completed', outputs: { a_output: 1 }, failureReason: null }
  const answering = (run: TriggeredRun) => {
    const requests: TriggerRunRequest[] = []
    const triggerRun = async (request: TriggerRunRequest) => {
      requests.push(request)
      return run
    }
    return { requests, triggerRun }
  }

  it('starts the run with rendered values, types kept, and gives what it came to', async () => {
    const { requests, triggerRun } = answering(ended)
    const payload = { rows: '{{ rows | tojson }}', text: 'n is {{ n }}', deep: [{ n: '{{ n | tojson }}' }], flag: true }
    const result = await execute({ ...trigger, payload, browserSessionId: 'bs_{{ n }}' }, { triggerRun }, { n: 3, rows: [1, 2] })
    expect(requests).toEqual([
      {
        workflowPermanentId: 'wpid_3',
        parameters: { rows: [1, 2], text: 'n is 3', deep: [{ n: 3 }], flag: true },
        ...{ waitForCompletion: true, useParentBrowserSession: false, browserSessionId: 'bs_3' },
      },
    ])
    expect(result).toEqual({ status: 'completed', output: { workflowRunId: 'wr_2', status: 'completed', outputs: { a_output: 1 } } })
  })

  it('takes a whole payload from a template, and nothing but an object', async () => {
    const { requests, triggerRun } = answering(ended)
    const payload = '{{ data | tojson }}'
    await execute({ ...trigger, payload }, { triggerRun }, { n: 1, data: { a: 1 } })
    expect(requests[0]?.parameters).toEqual({ a: 1 })
    for (const data of [[1], null, 'text', 3]) {
      const error = await failure(execute({ ...trigger, payload }, { triggerRun }, { n: 1, data }))
      expect(error).toMatchObject({ code: 'INVALID_PAYLOAD' })
    }
    expect(requests).toHaveLength(1)
  })

  it.each(['failed', 'terminated', 'canceled', 'timed_out'] as const)(
    'fails when the run ended %s, which its output tells',
    async (status) => {
      const { triggerRun } = answering({ ...ended, status, outputs: {}, failureReason: 'it broke' })
      expect(await execute(trigger, { triggerRun })).toMatchObject({
        ...{ status: 'failed', errorCode: 'CHILD_RUN_FAILED', failureReason: `run wr_2 ended ${status}: it broke` },
        output: { workflowRunId: 'wr_2', status, outputs: {} },
      })
    },
  )

  it('that does not wait completes with a run that has only begun', async () => {
    const { triggerRun } = answering({ ...ended, status: 'queued', outputs: null })
    expect(await execute({ ...trigger, waitForCompletion: false }, { triggerRun })).toMatchObject({
      status: 'completed',
      output: { status: 'queued', outputs: null },
    })
  })

  it('refuses a lent browser together with another one, or without waiting', () => {
    expect(issues({ ...trigger, useParentBrowserSession: true, browserSessionId: 'bs_1' })).toEqual([
      [['blocks', 0, 'browserSessionId'], expect.stringContaining('useParentBrowserSession or browserSessionId, found both')],
    ])
    expect(issues({ ...trigger, useParentBrowserSession: true, waitForCompletion: false })).toEqual([
      [['blocks', 0, 'waitForCompletion'], expect.stringContaining('has to be waited for')],
    ])
    expect(issues({ ...trigger, useParentBrowserSession: true })).toEqual([])
  })
})
