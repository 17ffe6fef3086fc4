import { AssertionError, fail } from 'node:assert/strict'
import { closeAll } from '../runtime/index.js'
import { guardStorage, type Storage, type StorageCapabilities } from '../storage/index.js'
import { contractCases, inspectCases } from './storage-contract/index.js'
import type { ContractCase, InspectedPart, InspectedRows } from './storage-contract/kit.js'

/** A storage to test, with what the suite needs around it. */
export interface ContractStorage {
  /** Fresh: no rows, no events, not opened. */
  readonly storage: Storage
  /** A further instance on the same data, not opened. Wanted where `durable` or `shared` is claimed. */
  readonly another?: () => Storage | Promise<Storage>
  /** Called after the case, when every instance is closed. */
  readonly cleanup?: () => Promise<unknown> | unknown
}

/** Arguments of {@link storageContract}. */
/** How {@link storageContract} runs, and on what. */
export interface StorageContractOptions<Fixture extends ContractStorage = ContractStorage> {
  /** The runner's own function: `it` or `test` of vitest and jest, `test` of node:test. */
  readonly test: (name: string, run: () => Promise<void>) => unknown
  /** Makes the storage of one case. */
  readonly factory: () => Fixture | Promise<Fixture>
  /** What the adapter claims: each claim has its cases, and one that cannot be shown is a failure. */
  readonly capabilities: StorageCapabilities
  /**
   * Whose clock a `shared` storage has. `machine`: it has none of its own, and all processes that share it are on one machine, for example
   * a file; `own`: a server's, which no host's clock may disturb.
   * @default 'own'
   */
  readonly clock?: 'own' | 'machine'
  /** A second reader of the same database, so that an adapter is not only compared with itself. */
  readonly inspect?: (fixture: Fixture, what: InspectedPart) => Promise<InspectedRows>
}

/**
 * The rules of a storage as tests: calls `test` once for each. An adapter that passes them all can be given to every facade.
 *
 * @example
 * describe('MyStorage', () => {
 *   storageContract({ test: it, factory: () => ({ storage: new MyStorage() }), capabilities: { durable: false, shared: false, notify: true } })
 * })
 */
export function storageContract<Fixture extends ContractStorage>(options: StorageContractOptions<Fixture>): void {
  const { test, capabilities, inspect, clock = 'own' } = options
  const isWanted = ({ needs, needsOwnClock = false }: ContractCase) =>
    (needs === undefined || capabilities[needs]) && !(needsOwnClock && clock === 'machine')
  const claimed = contractCases.filter(isWanted)
  const cases = inspect === undefined ? claimed : [...claimed, ...inspectCases]
  for (const contractCase of cases) test(contractCase.name, () => runCase(contractCase, options))
}

async function runCase<Fixture extends ContractStorage>(
  contractCase: ContractCase,
  options: StorageContractOptions<Fixture>,
): Promise<void> {
  const { capabilities, inspect } = options
  const fixture = await options.factory()
  const opened = new Set<Storage>()
  const guard = (adapter: Storage) => {
    const guarded = guardStorage(adapter)
    opened.add(guarded)
    return guarded
  }
  const another = async () => {
    const adapter = await (fixture.another ?? unclaimed)()
    if (adapter === fixture.storage) fail('`another` gave the same instance again: it must make a further one on the same data')
    return guard(adapter)
  }
  const closings = () => [...[...opened].reverse().map((storage) => () => storage.close()), () => fixture.cleanup?.()]
  try {
    const storage = guard(fixture.storage)
    if (contractCase.startsClosed !== true) await storage.open()
    const context = { capabilities, adapter: fixture.storage, another }
    await contractCase.run(storage, { ...context, inspect: inspect && ((what) => inspect(fixture, what)) })
  } catch (error) {
    await closeAll(closings(), 'the storages of the case').catch(() => {}) // the broken rule is the news
    throw brokenRule(contractCase, error)
  }
  await closeAll(closings(), 'the storages of the case')
}

function unclaimed(): never {
  fail('durable or shared is claimed, but factory() gave no `another` to show it with')
}

/** The failure with the rule in front; what was expected and what came stay where runners look for them. */
function brokenRule({ name }: ContractCase, error: unknown): Error {
  const reason = error instanceof Error ? error.message : String(error)
  const { actual, expected } = error instanceof AssertionError ? error : {}
  const broken = new AssertionError({
    message: `The storage breaks the rule "${name}": ${reason}`,
    actual,
    expected,
    operator: 'storageContract',
  })
  broken.cause = error
  return broken
}
