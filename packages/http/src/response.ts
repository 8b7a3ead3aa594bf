/** Heads of responses (RFC 9112 4). */

const reasons: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'No Content',
  206: 'Partial Content',
  301: 'Moved Permanently',
  304: 'Not Modified',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  409: 'Conflict',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  417: 'Expectation Failed',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  505: 'HTTP Version Not Supported',
  507: 'Insufficient Storage',
}

/** What a status is called (RFC 9110 15). */
export const reasonOf = (status: number): string => reasons[status] ?? 'Unknown'

/** The fields of a response; those that are undefined are left out. */
export type ResponseFields = Readonly<Record<string, string | undefined>>

/** A status line and the fields in their order, up to the empty line. */
export function responseHead(status: number, fields: ResponseFields): string {
  let head = `HTTP/1.1 ${status} ${reasonOf(status)}\r\n`
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) head += `${name}: ${value}\r\n`
  return `${head}\r\n`
}

/** RFC 9110 15.2.1. */
export const continueResponse: Buffer = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n', 'latin1')
