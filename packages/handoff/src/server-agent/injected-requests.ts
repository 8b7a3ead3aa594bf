/** A client's requests that the agent has injected, counted as the program counts those that come by it. */

import { scanRequestHead } from '@holdfast/http'
import { ahead } from '../transform/sequence.ts'

const emptyLine = Buffer.from('\r\n\r\n')
/** Methods begin with a letter, a last chunk does not. */
const letterA = 0x41
const headMethod = Buffer.from('HEAD ')

/** See above. */
export class InjectedRequests {
  /** Where the last bytes of them ended. */
  end = 0
  requests = 0
  /** The last one's method was HEAD. */
  isHead = false
  /** An earlier agent may have injected others. */
  isKnown = true

  /** There are none. */
  forget(): void {
    this.end = this.requests = 0
    this.isHead = false
    this.isKnown = true
  }

  /** The request of a hand-off, or several: `bytes[from, to)`, which end at `end`. */
  begin(end: number, bytes: Buffer, from: number, to: number): void {
    this.end = end
    this.#count(bytes, from, to)
  }

  /** What has been injected since. */
  note(end: number, bytes: Buffer, from: number, to: number): void {
    if (ahead(end, this.end) <= 0) return
    this.end = end
    this.#count(bytes, from, to)
  }

  #count(bytes: Buffer, from: number, to: number): void {
    if (bytes[from] >= letterA && bytes.indexOf(emptyLine, from) === to - emptyLine.length) {
      this.requests++
      this.isHead = startsWithHead(bytes, from)
    } else this.#countHeads(bytes, from, to)
  }

  /** More than one, or contents. What is no head is the rest of a content. */
  #countHeads(bytes: Buffer, from: number, to: number): void {
    for (let at = from; at < to;) {
      const head = scanRequestHead(bytes, at, to)
      if (head === 'more' || 'status' in head) return
      this.requests++
      this.isHead = head.method === 'HEAD'
      if (head.content === 'chunked') return
      at += head.headBytes + head.contentBytes
    }
  }
}

function startsWithHead(bytes: Buffer, from: number): boolean {
  for (let i = 0; i < headMethod.length; i++) if (bytes[from + i] !== headMethod[i]) return false
  return true
}
