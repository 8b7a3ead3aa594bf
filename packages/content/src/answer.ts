/** A response before it is on its way. */

import { createHash } from 'node:crypto'
import { type ByteRange, contentRange, responseHead, type ResponseFields } from '@holdfast/http'
import { type OpenFile, withoutEnd } from './open-files.ts'

/** Bytes of a file. */
export interface FilePart extends ByteRange {
  readonly file: OpenFile
}

/** What follows a head: bytes that are here, and bytes of files. */
export type BodyPart = Buffer | FilePart

/** A response but for the fields of its connection. */
export interface Answer {
  readonly status: number
  /** Status line and fields, without the empty line. */
  readonly head: Buffer | string
  /** Empty for HEAD. */
  readonly body: readonly BodyPart[]
  readonly bodyBytes: number
  /** Kept open until the response has gone out. */
  readonly file?: OpenFile
  /** The connection ends with it. */
  readonly closes?: boolean
}

const nothing: readonly BodyPart[] = []

export const partBytes = (part: BodyPart): number => (Buffer.isBuffer(part) ? part.length : part.lengthBytes)

/** A response that is all here. */
export function textAnswer(
  status: number,
  {
    fields,
    text,
    isHead = false,
    closes = false,
  }: { readonly fields: ResponseFields; readonly text: string; readonly isHead?: boolean; readonly closes?: boolean },
): Answer {
  const content = Buffer.from(text, 'utf8')
  const head = withoutEnd(responseHead(status, { ...fields, 'Content-Length': String(content.length) }))
  return { status, head, body: isHead ? nothing : [content], bodyBytes: isHead ? 0 : content.length, closes }
}

/** A response without content (RFC 9110 15.3.5, 15.4.5). */
export const bareAnswer = (status: number, fields: ResponseFields, file?: OpenFile): Answer => ({
  status,
  head: withoutEnd(responseHead(status, fields)),
  body: nothing,
  bodyBytes: 0,
  ...(file && { file }),
})

/** All of a file. */
export const wholeFile = (file: OpenFile, isHead: boolean): Answer => ({
  status: 200,
  head: file.wholeHead,
  body: isHead || file.sizeBytes === 0 ? nothing : [{ file, offset: 0, lengthBytes: file.sizeBytes }],
  bodyBytes: isHead ? 0 : file.sizeBytes,
  file,
})

/** Parts of a file (RFC 9110 15.3.7): one as it is, several as multipart/byteranges. */
export function partsOfFile(file: OpenFile, ranges: readonly ByteRange[]): Answer {
  const { sizeBytes, fields } = file
  if (ranges.length === 1) {
    const [range] = ranges
    const own = { 'Content-Range': contentRange(range, sizeBytes), 'Content-Length': String(range.lengthBytes) }
    return { status: 206, head: withoutEnd(responseHead(206, { ...fields, ...own })), body: [{ file, ...range }], bodyBytes: range.lengthBytes, file }
  }
  const boundary = boundaryOf(file)
  const body = ranges.flatMap((range, at): BodyPart[] => [
    Buffer.from(
      `${at === 0 ? '' : '\r\n'}--${boundary}\r\nContent-Type: ${fields['Content-Type']}\r\nContent-Range: ${contentRange(range, sizeBytes)}\r\n\r\n`,
      'latin1',
    ),
    { file, ...range },
  ])
  body.push(Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1'))
  const bodyBytes = body.reduce((sum, part) => sum + partBytes(part), 0)
  const own = { 'Content-Type': `multipart/byteranges; boundary=${boundary}`, 'Content-Length': String(bodyBytes) }
  return { status: 206, head: withoutEnd(responseHead(206, { ...fields, ...own })), body, bodyBytes, file }
}

/** The same for the same file, so that a response can be gone on with; nobody writes it into a file who does not know its id beforehand. */
const boundaryOf = ({ etag }: OpenFile): string => createHash('sha256').update(etag).digest('hex').slice(0, 32)
