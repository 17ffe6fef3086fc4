import { defineWorkflow, MemoryStorage, type Notifier, type PauseNotice, WorkflowEngine } from 'runwright'

// a refund that somebody has to allow before it is paid
const definition = defineWorkflow({
  parameters: [{ kind: 'workflow', key: 'amount', type: 'integer' }],
  blocks: [
    { type: 'code', label: 'order', handler: 'findOrder' },
    {
      type: 'human_interaction',
      label: 'ask',
      instructions: 'Refund {{ amount }} € for {{ order_output.number }}?',
      positiveDescriptor: 'Pay it',
      negativeDescriptor: 'Keep it',
      recipients: ['ada@acme.example'],
      timeoutSeconds: 3_600,
    },
    { type: 'code', label: 'pay', handler: 'payRefund' },
  ],
})

const handlers = {
  findOrder: () => ({ number: 'A-17' }),
  payRefund: ({ outputs }: { outputs: Readonly<Record<string, unknown>> }) => {
    const { by, data } = outputs.ask as { by: string; data: { note: string } }
    return `paid: ${by} says "${data.note}"`
  },
}

// what a host would send by mail or chat: who is asked, what, and the token that answers this pause and no other
const inbox: Pick<PauseNotice, 'workflowRunId' | 'resumeToken'>[] = []
const notifier: Notifier = {
  async notify({ workflowRunId, resumeToken, recipients, instructions, positiveDescriptor, negativeDescriptor }) {
    console.log(`  to ${recipients.join(', ')}: ${instructions} [${positiveDescriptor}] [${negativeDescriptor}]`)
    inbox.push({ workflowRunId, resumeToken })
  },
}

const storage = new MemoryStorage()
const engine = new WorkflowEngine({ storage, handlers, notifier, organizationId: 'acme' })
await engine.start()
const { workflowPermanentId } = await engine.createWorkflow({ title: 'Refund', definition })

for (const decision of ['approve', 'reject'] as const) {
  const run = await engine.startRun({ workflowPermanentId, parameters: { amount: 40 } })
  console.log(`A run to ${decision}:`)
  for await (const { type } of run.events()) {
    if (type === 'run.paused') break
  }
  const { status, pause } = await engine.getRun(run)
  console.log(`  it is ${status}, and waits at "${pause?.label}"; no worker is busy with it`)

  // somebody presses a button: from here on it is a call from outside, in this process or in another one on the same storage
  const mail = inbox.pop()
  if (mail === undefined) throw new Error('nobody was asked')
  const answer = { ...mail, decision, data: { note: 'as agreed' }, by: 'Ada' }
  await engine.resume(answer)
  await engine.resume(answer) // pressed twice: the same answer again changes nothing

  const { status: end, outputs, failureReason } = await run.result()
  console.log(`  it is ${end}: ${failureReason ?? outputs.pay_output}`)
}

await engine.stop()
await storage.close()
