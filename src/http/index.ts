export { createHttpHandler, type HttpHandler, type HttpHandlerOptions, type HttpStreaming } from './http-handler.js'
export { type NodeListener, toNodeListener } from './node-listener.js'
export { type ViewerUrlParams, viewerUrl } from './viewer-url.js'
