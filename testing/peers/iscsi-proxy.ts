/** A relay between an initiator and a target that looks at PDUs, and loses, damages, repeats or holds them; or is gone all of a sudden. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import {
  basicHeaderBytes,
  currentStageOf,
  dataSegmentBytes,
  dataSegmentStart,
  headerOffset,
  LoginFlags,
  LoginStage,
  nextStageOf,
  noDigests,
  Opcode,
  opcodeOf,
  parseText,
  pduLengthBytes,
} from '@holdfast/iscsi/pdu'
import type { Digests } from '@holdfast/iscsi/pdu'
import type { Endpoint } from './server.ts'

/** A PDU on its way. */
export interface PassingPdu {
  readonly fromInitiator: boolean
  readonly opcode: number
  /** All of it: header, digests, data, padding. */
  readonly bytes: Buffer
  /** Bytes of its data. */
  readonly dataBytes: number
  /** Which connection it is on: the first one has 0. */
  readonly connection: number
}

/**
 * What becomes of a PDU. `corrupt` changes its data, `corrupt-header` its header, both under their digests. `cut` ends the connection instead, `stall`
 * keeps it open and lets nothing more pass.
 */
export type Fate = 'pass' | 'drop' | 'duplicate' | 'corrupt' | 'corrupt-header' | 'cut' | 'stall'

/** A running relay; stopped with `await using`. */
export interface IscsiProxy extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** Decides about each PDU of the full feature phase. */
  rule: (pdu: PassingPdu) => Fate
  /** How many PDUs did not simply pass. */
  readonly meddled: number
  /** Connections so far. */
  readonly connections: number
  /** Cuts all connections, as a power failure would. */
  cut(): void
}

/** What both directions of a connection know. */
interface Link {
  readonly number: number
  digests: Digests
  isLoggedIn: boolean
  isStalled: boolean
}

/** Cuts a stream into PDUs, and hands each out before it looks where the next one ends: digests may begin in between. */
class Splitter {
  #rest: Buffer = Buffer.alloc(0)

  push(bytes: Buffer, digestsNow: () => Digests, each: (pdu: Buffer) => void): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    while (this.#rest.length >= basicHeaderBytes) {
      const lengthBytes = pduLengthBytes(this.#rest, 0, digestsNow())
      if (this.#rest.length < lengthBytes) return
      const pdu = this.#rest.subarray(0, lengthBytes)
      this.#rest = this.#rest.subarray(lengthBytes)
      each(pdu)
    }
  }
}

/** The last response of a login says from when on there are digests, and which. */
function followLogin(link: Link, pdu: Buffer): void {
  const text = pdu.subarray(basicHeaderBytes, basicHeaderBytes + dataSegmentBytes(pdu))
  for (const [key, value] of parseText(text)) {
    if (key === 'HeaderDigest') link.digests = { ...link.digests, header: value === 'CRC32C' }
    if (key === 'DataDigest') link.digests = { ...link.digests, data: value === 'CRC32C' }
  }
  const flags = pdu[headerOffset.flags]
  const isLast = (flags & LoginFlags.transit) !== 0 && nextStageOf(flags) === LoginStage.fullFeature && currentStageOf(flags) < LoginStage.fullFeature
  link.isLoggedIn = isLast && pdu.readUInt16BE(36) === 0
}

/** Does what the rule says; gives what goes on. */
function apply(fate: Fate, pdu: Buffer, link: Link): readonly Buffer[] {
  const copy = Buffer.from(pdu)
  if (fate === 'corrupt') copy[dataSegmentStart(pdu, 0, link.digests)] ^= 0xff
  if (fate === 'corrupt-header') copy[headerOffset.bufferOffset] ^= 0xff
  if (fate === 'stall') link.isStalled = true
  const outcomes: Readonly<Record<Fate, readonly Buffer[]>> = {
    pass: [pdu],
    drop: [],
    duplicate: [pdu, copy],
    corrupt: [copy],
    'corrupt-header': [copy],
    cut: [],
    stall: [],
  }
  return outcomes[fate]
}

/** Starts a relay to a target. */
export async function startIscsiProxy(target: Endpoint): Promise<IscsiProxy> {
  const sockets = new Set<Socket>()
  let meddled = 0
  let connections = 0
  let rule: IscsiProxy['rule'] = () => 'pass'
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }

  const relay = (from: Socket, to: Socket, link: Link, fromInitiator: boolean): void => {
    const splitter = new Splitter()
    const pass = (pdu: Buffer): void => {
      // What was on its way behind a cut does not arrive either.
      if (link.isStalled || from.destroyed) return
      if (!link.isLoggedIn) {
        to.write(pdu)
        if (opcodeOf(pdu) === Opcode.loginResponse) followLogin(link, pdu)
        return
      }
      const fate = rule({ fromInitiator, opcode: opcodeOf(pdu), bytes: pdu, dataBytes: dataSegmentBytes(pdu), connection: link.number })
      if (fate !== 'pass') meddled++
      for (const piece of apply(fate, pdu, link)) to.write(piece)
      if (fate === 'cut') from.destroy()
    }
    from.on('data', (bytes: Buffer) => splitter.push(bytes, () => (link.isLoggedIn ? link.digests : noDigests), pass))
    from.on('error', () => undefined)
    from.on('close', () => {
      sockets.delete(from)
      to.destroy()
    })
    sockets.add(from)
  }

  const server = createServer({ noDelay: true }, client => {
    const upstream = connect({ ...target, noDelay: true })
    const link: Link = { number: connections++, digests: noDigests, isLoggedIn: false, isStalled: false }
    relay(client, upstream, link, true)
    relay(upstream, client, link, false)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    get rule() {
      return rule
    },
    set rule(next) {
      rule = next
    },
    get meddled() {
      return meddled
    },
    get connections() {
      return connections
    },
    cut,
    async [Symbol.asyncDispose]() {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A rule that gives the first `times` PDUs that match a fate, and lets all others pass. */
export function meddleWith(matches: (pdu: PassingPdu) => boolean, fate: Fate, times = 1): (pdu: PassingPdu) => Fate {
  let left = times
  return pdu => {
    if (left === 0 || !matches(pdu)) return 'pass'
    left--
    return fate
  }
}
