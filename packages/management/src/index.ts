export { createManagementApp, type ManagementApp, type ManagementOptions } from './app.ts'
export { createManagementProtocol } from './protocol.ts'
export {
  httpFraming,
  httpFramingWithContent,
  problem,
  readRequest,
  requestHeadBytesMax,
  writeResponse,
  type HttpRequest,
  type HttpResponse,
} from './http.ts'
export { formatMetrics, prometheusContentType } from './prometheus.ts'
