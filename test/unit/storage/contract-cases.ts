import type { ContractCase } from './contract/contract.js'
import { queryCases } from './contract/query-cases.js'
import { refusalCases } from './contract/refusal-cases.js'
import { valueCases } from './contract/value-cases.js'
import { writeCases } from './contract/write-cases.js'

/** What every storage behind the guard promises; each case wants a fresh one. */
export const contractCases: readonly ContractCase[] = [...writeCases, ...queryCases, ...valueCases, ...refusalCases]
