/** Requests as clients write them. */

/** A GET of HTTP/1.1; more lines of the head without their ends. */
export const get = (path: string, ...lines: readonly string[]): string => [`GET ${path} HTTP/1.1`, 'Host: example.org', ...lines, '', ''].join('\r\n')

/** The head of a POST whose content has a length, or comes in chunks. */
export const post = (path: string, content: number | 'chunked', ...lines: readonly string[]): string =>
  [
    `POST ${path} HTTP/1.1`,
    'Host: example.org',
    content === 'chunked' ? 'Transfer-Encoding: chunked' : `Content-Length: ${content}`,
    ...lines,
    '',
    '',
  ].join('\r\n')
