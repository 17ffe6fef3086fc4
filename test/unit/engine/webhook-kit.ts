import { EventFactory } from '../../../src/engine/event-factory.js'
import { MemoryCredentialProvider } from '../../../src/engine/index.js'
import type { WebhookAnswer, WebhookRequest, WebhookTransport } from '../../../src/engine/webhooks/transport.js'
import { type WebhookOptions, webhookOptionsSchema } from '../../../src/engine/webhooks/webhook-options.js'
import { Webhooks } from '../../../src/engine/webhooks/webhooks.js'
import type { AnyEvent } from '../../../src/events/index.js'
import { type Logger, type Random, silentLogger } from '../../../src/runtime/index.js'
import { guardStorage, type Storage, type WebhookDeliveryRow } from '../../../src/storage/index.js'
import { insertRun } from '../../../src/testing/storage-contract/samples.js'
import { createWorld, type World } from './kit.js'

export const SECRET = 'whsec of the tests'
export const URL_1 = 'https://receiver.example/hook'

type Reply = WebhookAnswer | Error | number | ((request: WebhookRequest) => Promise<WebhookAnswer>)

/** Answers in the order that it was told; 200 from then on. */
export class FakeTransport implements WebhookTransport {
  readonly requests: WebhookRequest[] = []
  readonly #replies: Reply[]

  constructor(...replies: Reply[]) {
    this.#replies = replies
  }

  async send(request: WebhookRequest): Promise<WebhookAnswer> {
    this.requests.push(request)
    const reply = this.#replies.shift() ?? 200
    if (reply instanceof Error) throw reply
    if (typeof reply === 'number') return { kind: 'answered', statusCode: reply, retryAfter: null }
    return typeof reply === 'function' ? reply(request) : reply
  }
}

/** Never answers; ends when it is ended. */
export const hangs = ({ signal }: WebhookRequest) =>
  new Promise<WebhookAnswer>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))

/** No jitter. */
const steady: Random = { bytes: (size) => Buffer.alloc(size), fraction: () => 1 - Number.EPSILON }

export interface HostParams {
  readonly world?: World
  readonly storage?: Storage
  readonly transport?: WebhookTransport
  readonly webhooks?: WebhookOptions
  readonly hostId?: string
  readonly credentials?: ConstructorParameters<typeof Webhooks>[0]['credentials']
  readonly logger?: Logger
}

/** The outbox of one host, on fakes; not started. */
export function createHost(params: HostParams = {}) {
  const { world = createWorld(), transport = new FakeTransport(), hostId = 'host_1', logger = silentLogger } = params
  const { clock, ids } = world
  const storage = guardStorage(params.storage ?? world.storage)
  const emitted: AnyEvent[] = []
  const webhooks = new Webhooks({
    ...{ clock, logger, hostId, storage, transport, random: steady },
    settings: webhookOptionsSchema.parse(params.webhooks ?? { secret: { provider: 'memory', name: 'hook' } }),
    credentials: params.credentials ?? { memory: new MemoryCredentialProvider({ hook: SECRET }) },
    events: new EventFactory(ids),
    emit: (event) => emitted.push(event),
  })
  return { webhooks, world, clock, memory: world.memory, storage, transport: transport as FakeTransport, emitted }
}

/** An ended run whose result waits to be delivered. */
export async function endRun(world: World, number = 1, values: Partial<WebhookDeliveryRow> = {}) {
  const workflowRunId = `wr_${number}`
  const { memory, clock } = world
  const storage = guardStorage(memory)
  await storage.open()
  const now = clock.now()
  const organizationId = values.organizationId ?? 'org'
  const result = await storage.commit([
    insertRun(workflowRunId, { organizationId, status: 'completed', webhookCallbackUrl: URL_1, webhookStatus: 'pending', finishedAt: now }),
    {
      op: 'insert',
      table: 'webhook_deliveries',
      row: {
        ...{ deliveryId: `whd_${number}`, organizationId, workflowRunId, url: URL_1, status: 'pending', attempts: 0, leaseFence: 0 },
        ...{
          body: { workflowRunId, status: 'completed', outputs: { a_output: 'é' } },
          nextAttemptAt: now,
          createdAt: now,
          modifiedAt: now,
        },
        ...values,
      },
    },
  ])
  if (!result.ok) throw new Error(result.reason)
}

/** The delivery, its run and the events of it, as they are stored. */
export async function stored({ memory }: World, number = 1) {
  const delivery = await memory.get('webhook_deliveries', `whd_${number}`)
  const run = await memory.get('runs', `wr_${number}`)
  const events = await memory.readEvents({ stream: `run:wr_${number}` })
  return { delivery, run, events: events.map(({ type, payload }): Record<string, unknown> => ({ type, ...(payload as object) })) }
}
