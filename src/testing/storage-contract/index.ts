import { atomicityCases } from './atomicity-cases.js'
import { capabilityCases } from './capability-cases.js'
import { conditionCases } from './condition-cases.js'
import { guardedCases } from './guarded-cases.js'
import { inspectCases } from './inspect-cases.js'
import { invalidCases } from './invalid-cases.js'
import type { ContractCase } from './kit.js'
import { leaseCases } from './lease-cases.js'
import { lifecycleCases } from './lifecycle-cases.js'
import { manifestCases } from './manifest-cases.js'
import { manyRowCases } from './many-row-cases.js'
import { queryCases } from './query-cases.js'
import { streamCases } from './stream-cases.js'
import { valueCases } from './value-cases.js'
import { wakeCases } from './wake-cases.js'
import { writeCases } from './write-cases.js'

/** Every promise of a storage behind the guard; each case wants a fresh one. */
export const contractCases: readonly ContractCase[] = [
  ...lifecycleCases,
  ...writeCases,
  ...manyRowCases,
  ...atomicityCases,
  ...guardedCases,
  ...conditionCases,
  ...queryCases,
  ...valueCases,
  ...manifestCases,
  ...streamCases,
  ...leaseCases,
  ...capabilityCases,
  ...wakeCases,
  ...invalidCases,
]

/** Cases that want a second reader of the database. */
export { inspectCases }
