export * from './run-result.js'
export * from './schemas.js'
export * from './typed-bus.js'
