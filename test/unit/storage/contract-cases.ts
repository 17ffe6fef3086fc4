export { contractCases } from '../../../src/testing/storage-contract/index.js'
