// Everything public, by name, in three lists.
export * from './index/browsers.js'
export * from './index/foundations.js'
export * from './index/workflows.js'
