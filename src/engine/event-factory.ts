import type { Json } from '../errors/index.js'
import type { EventPayload, EventType } from '../events/index.js'
import type { Ids } from '../runtime/index.js'
import type { NewEvent } from '../storage/index.js'

/** Makes events ready to be appended. */
export class EventFactory {
  readonly #ids: Ids

  constructor(ids: Ids) {
    this.#ids = ids
  }

  create<T extends EventType>(organizationId: string, type: T, payload: EventPayload<T>): NewEvent {
    return { id: this.#ids.next('evt'), type, organizationId, payload: payload as unknown as Json }
  }
}
