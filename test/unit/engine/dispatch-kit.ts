import { WorkflowEngine, type WorkflowEngineOptions } from '../../../src/engine/index.js'
import { MemoryStorage, type Storage } from '../../../src/storage/index.js'
import { FakeClock, sequentialIds } from '../../../src/testing/index.js'
import { settle } from './kit.js'

/** Memory that says that it is shared, so that the engines on it behave as hosts on one database. */
export function shared<T extends Storage>(storage: T): T {
  return new Proxy(storage, {
    get(target, key) {
      if (key === 'capabilities') return { durable: true, shared: true, notify: true }
      const value = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** What a host of the fleet did: `+id` when a run began, `-id` when it ended. */
export type Trace = string[]

export function createFleet() {
  const clock = new FakeClock()
  const ids = sequentialIds()
  const memory = new MemoryStorage({ clock })
  const engines: WorkflowEngine[] = []
  const host = async (hostId: string, options: Partial<WorkflowEngineOptions> = {}) => {
    const storage = options.storage ?? shared(memory)
    const engine = new WorkflowEngine({ clock, ids, hostId, organizationId: 'acme', ...options, storage })
    await settle(engine.start(), clock)
    engines.push(engine)
    return engine
  }
  const stop = () => settle(Promise.all(engines.splice(0).map((engine) => engine.destroy())), clock)
  return { clock, ids, memory, host, stop }
}
