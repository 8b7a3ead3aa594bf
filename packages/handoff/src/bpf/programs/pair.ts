/**
 * Programs by which a server agent writes, looks at and removes both entries of a connection in one call: a system call costs more than what is done in it. They are called with both keys, and what
 * is written or was read behind them.
 */

import { BPF_ANY, BPF_NOEXIST } from '@holdfast/posix/bpf'
import { Assembler, Frame, at, r0, r1, r2, r3, r6, r7, r8, r9 } from '../assembler/index.ts'
import type { Place, Program } from '../assembler/index.ts'
import { AgentEntry, AgentState, Answers } from '../entries.ts'
import { offsetsOf } from '../offsets.ts'
import { TcpFlag } from '../../transform/packet.ts'
import { maps } from './context.ts'

const offsets = offsetsOf(AgentEntry)
const entryBytes = AgentEntry.fixedSize
const keyRoom = 40

/** Of an entry, what the programs for packets note in it once it is established, in steps of eight bytes. */
export const noted = { from: offsets.windowScaleFrom & ~7, end: (offsets.synAck + Answers.fixedSize + 7) & ~7 } as const
const notedBytes = noted.end - noted.from

/** What the programs are called with. */
export const PairAt = {
  out: 0,
  in: keyRoom,
  /** Of `write`. */
  outEntry: 2 * keyRoom,
  inEntry: 2 * keyRoom + entryBytes,
  /** Of `read`. */
  outNoted: 2 * keyRoom,
  inNoted: 2 * keyRoom + notedBytes,
  /** Of `settle`: TCP flags of what the client has sent past the program. */
  injectedFlags: 2 * keyRoom + 2 * notedBytes,
  bytes: 2 * keyRoom + 2 * entryBytes,
} as const
/** Bits of what `read` and `settle` return: there is such an entry; both have been removed. */
export const PairThere = { out: 1, in: 2, settled: 4 } as const

/** A connection that is over stays for as long after its last packet: what was lost is repeated. */
export const lingerMs = 1000

/** A helper takes no part of what a program is called with: it is copied. */
function copy(a: Assembler, from: Place, to: Place, bytes: number): void {
  for (let offset = 0; offset < bytes; offset += 8) a.ldxdw(r1, from.plus(offset)).stdw(to.plus(offset), r1)
}

/** Writes both, but none when there is one for the server's packets already. Returns 0 or -errno. */
export function writePairProgram(): Program {
  const a = new Assembler('hf_write')
  const frame = new Frame()
  const [key, entry] = [frame.take(keyRoom), frame.take(entryBytes)]
  const given = at(r6)
  a.mov(r6, r1)
  copy(a, given.plus(PairAt.out), key, keyRoom)
  copy(a, given.plus(PairAt.outEntry), entry, entryBytes)
  a.call('map_update_elem', maps.flows, key.address, entry.address, BPF_NOEXIST)
  a.jne(r0, 0, 'done')
  copy(a, given.plus(PairAt.in), key, keyRoom)
  copy(a, given.plus(PairAt.inEntry), entry, entryBytes)
  a.call('map_update_elem', maps.flows, key.address, entry.address, BPF_ANY)
  a.jeq(r0, 0, 'done')
  a.mov(r7, r0)
  copy(a, given.plus(PairAt.out), key, keyRoom)
  a.call('map_delete_elem', maps.flows, key.address)
  a.mov(r0, r7)
  a.label('done')
  a.exit()
  return a.assemble()
}

/** Reads what is noted in both. Returns `PairThere`. */
export function readPairProgram(): Program {
  const a = new Assembler('hf_read')
  const key = new Frame().take(keyRoom)
  const given = at(r6)
  a.mov(r6, r1)
  a.mov(r7, 0)
  for (const [bit, keyAt, to] of [
    [PairThere.out, PairAt.out, PairAt.outNoted],
    [PairThere.in, PairAt.in, PairAt.inNoted],
  ] as const) {
    copy(a, given.plus(keyAt), key, keyRoom)
    a.call('map_lookup_elem', maps.flows, key.address)
    a.block(none => {
      a.jeq(r0, 0, none)
      a.or(r7, bit)
      copy(a, at(r0, noted.from), given.plus(to), notedBytes)
    })
  }
  a.mov(r0, r7)
  a.exit()
  return a.assemble()
}

/** Reads what is noted in both, as long as there is the one for the server's packets, and removes both when the connection has been over for `lingerMs`: most are looked at just once. Returns `PairThere`. */
export function settlePairProgram(): Program {
  const a = new Assembler('hf_settle')
  const key = new Frame().take(keyRoom)
  const given = at(r6)
  a.mov(r6, r1)
  a.mov(r7, 0)
  copy(a, given.plus(PairAt.out), key, keyRoom)
  a.call('map_lookup_elem', maps.flows, key.address)
  a.jeq(r0, 0, 'done')
  a.mov(r8, r0)
  a.or(r7, PairThere.out)
  copy(a, at(r8, noted.from), given.plus(PairAt.outNoted), notedBytes)
  copy(a, given.plus(PairAt.in), key, keyRoom)
  a.call('map_lookup_elem', maps.flows, key.address)
  a.jeq(r0, 0, 'done')
  a.mov(r9, r0)
  a.or(r7, PairThere.in)
  copy(a, at(r9, noted.from), given.plus(PairAt.inNoted), notedBytes)

  a.ldxb(r1, at(r8, offsets.state))
  a.jne(r1, AgentState.established, 'done')
  a.ldxw(r1, at(r8, offsets.flagsSeen))
  a.ldxw(r2, at(r9, offsets.flagsSeen))
  a.ldxw(r3, given.plus(PairAt.injectedFlags))
  a.or(r2, r3)
  a.mov(r3, r1)
  a.or(r3, r2)
  a.jset(r3, TcpFlag.rst, 'over')
  a.and(r1, r2)
  a.jset(r1, TcpFlag.fin, 'over')
  a.ja('done')
  a.label('over')
  a.call('ktime_get_ns')
  for (const entry of [r8, r9]) {
    a.mov(r1, r0)
    a.ldxdw(r2, at(entry, offsets.lastNs))
    a.sub(r1, r2)
    a.jlt(r1, lingerMs * 1e6, 'done')
  }
  remove(a, key)
  a.or(r7, PairThere.settled)
  a.label('done')
  a.mov(r0, r7)
  a.exit()
  return a.assemble()
}

/** Removes both. Returns 0. */
export function removePairProgram(): Program {
  const a = new Assembler('hf_remove')
  a.mov(r6, r1)
  remove(a, new Frame().take(keyRoom))
  a.mov(r0, 0)
  a.exit()
  return a.assemble()
}

function remove(a: Assembler, key: Place): void {
  for (const keyAt of [PairAt.in, PairAt.out]) {
    copy(a, at(r6, keyAt), key, keyRoom)
    a.call('map_delete_elem', maps.flows, key.address)
  }
}
