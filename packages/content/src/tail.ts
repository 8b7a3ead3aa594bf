/** The end of a head: the fields that are of the connection and of the moment (RFC 9110 6.6.1, 7.6.1). */

import { formatHttpDate } from '@holdfast/http'

const connectionFields = { stays: '', staysAt10: 'Connection: keep-alive\r\n', closes: 'Connection: close\r\n' } as const
let second = 0
let tails = tailsOf(0)

function tailsOf(nowMs: number): Readonly<Record<keyof typeof connectionFields, Buffer>> {
  const date = `Date: ${formatHttpDate(nowMs)}\r\n`
  const tail = (fields: string): Buffer => Buffer.from(`${date}${fields}\r\n`, 'latin1')
  const { stays, staysAt10, closes } = connectionFields
  return { stays: tail(stays), staysAt10: tail(staysAt10), closes: tail(closes) }
}

/** Made once a second. `minor`: of the client's version; HTTP/1.0 has to be told that a connection stays. */
export function tailOf(minor: number, closes: boolean, nowMs: number = Date.now()): Buffer {
  const now = Math.floor(nowMs / 1000)
  if (now !== second) {
    second = now
    tails = tailsOf(nowMs)
  }
  return closes ? tails.closes : minor === 0 ? tails.staysAt10 : tails.stays
}
