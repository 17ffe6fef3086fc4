export * from '../../../../src/testing/storage-contract/kit.js'
export * from '../../../../src/testing/storage-contract/samples.js'
