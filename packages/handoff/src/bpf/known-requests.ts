/** What the director's program knows of requests, for the agent: who has a target, and header sections that it may meet again. */

import { BPF_EXIST } from '@holdfast/posix/bpf'
import type { BpfMap } from '@holdfast/posix/bpf'
import { KnownLimits, HeaderValue, OwnerKey, OwnerValue } from './known-layouts.ts'
import type { RequestLead } from './request-lead.ts'

/** Who has what begins with a prefix: an agent's address (16 bytes) and port, or undefined where only the agent can tell. */
export type OwnersByPrefix = ReadonlyMap<string, { readonly address: Uint8Array; readonly port: number } | undefined>

/** Longest prefix there may be. */
export const prefixBytesMax: number = OwnerKey.targetBytes

const undecided = Buffer.alloc(OwnerValue.fixedSize)

/** See above. At first nothing is known. */
export class KnownRequests {
  /** Who decides about a connection's next request. */
  readonly lead: RequestLead
  readonly #owners: BpfMap
  readonly #headers: BpfMap
  readonly #prefixes = new Set<string>()
  readonly #ownerKey = Buffer.alloc(OwnerKey.bytes)
  readonly #headerKey = Buffer.alloc(KnownLimits.headerBytesMax)
  readonly #headerValue = Buffer.alloc(HeaderValue.fixedSize)

  constructor(owners: BpfMap, headers: BpfMap, lead: RequestLead) {
    this.#owners = owners
    this.#headers = headers
    this.lead = lead
  }

  /**
   * Puts other owners in place, and forgets all header sections. The program may look at any time: it finds the owner of before, nobody, or the one that is to be found from now on, and never one of a table
   * that is half one and half the other. False: there is no room for them, and nobody is found.
   */
  replaceOwners(owners: OwnersByPrefix): boolean {
    for (const prefix of this.#prefixes) this.#owners.update(this.#keyOf(prefix), undecided, BPF_EXIST)
    this.#headers.forEach(key => void this.#headers.remove(key))
    for (const prefix of this.#prefixes) if (!owners.has(prefix)) this.#remove(prefix)
    for (const prefix of owners.keys()) if (!this.#add(prefix)) return false
    for (const [prefix, owner] of owners) {
      if (owner !== undefined) this.#owners.update(this.#keyOf(prefix), OwnerValue.toBytes(owner), BPF_EXIST)
    }
    return true
  }

  /** From now on `bytes[from, end)` is known to be the whole rest of a request behind its request line, which has no content and is for whoever has its target. False: it is too long, or there is no room. */
  addHeader(bytes: Buffer, from: number, end: number): boolean {
    const length = end - from
    if (length > KnownLimits.headerBytesMax) return false
    this.#headerKey.fill(0, length)
    bytes.copy(this.#headerKey, 0, from, end)
    this.#headerValue.writeUInt32LE(length)
    return this.#headers.update(this.#headerKey, this.#headerValue) === 0
  }

  #add(prefix: string): boolean {
    if (this.#prefixes.has(prefix)) return true
    if (this.#owners.update(this.#keyOf(prefix), undecided) !== 0) return false
    this.#prefixes.add(prefix)
    return true
  }

  #remove(prefix: string): void {
    this.#owners.remove(this.#keyOf(prefix))
    this.#prefixes.delete(prefix)
  }

  #keyOf(prefix: string): Buffer {
    const key = this.#ownerKey
    key.fill(0, OwnerKey.targetAt)
    key.writeUInt32LE(8 * prefix.length)
    key.write(prefix, OwnerKey.targetAt, 'latin1')
    return key
  }
}
