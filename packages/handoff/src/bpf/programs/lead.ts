/**
 * The programs by which the agent gives the director's program the lead over a connection's requests (`requestAt` of its entry), and takes it: they are called with a key and two numbers. A packet may be looked at on another CPU at the same time,
 * so the lead is taken at once (an atomic exchange): what the program has sent on before is known then, and it sends nothing on afterwards.
 */

import { Assembler, Frame, at, r0, r1, r2, r6, r7 } from '../assembler/index.ts'
import type { Program } from '../assembler/index.ts'
import { DirectorAction } from '../entries.ts'
import { directorField, maps } from './context.ts'

/** Where the numbers are that a program is called with, behind the key. */
export const leadFields = { sequence: 40, acknowledgement: 44 } as const
/** What a program is called with. */
export const leadBytes = 48

/** Gives the lead. It returns 0, or 1 when there is no such entry, or it is not `split`. */
export function giveLeadProgram(): Program {
  const a = new Assembler('hf_give_lead')
  findEntry(a)
  a.ldxw(r1, directorField('action'))
  a.jne(r1, DirectorAction.split, 'none')
  a.ldxw(r1, at(r6, leadFields.acknowledgement))
  a.stw(directorField('requestAck'), r1)
  a.ldxw(r1, at(r6, leadFields.sequence))
  a.stw(directorField('forwardUntil'), r1)
  a.mov(r2, 1)
  a.lsh(r2, 32)
  a.or(r1, r2)
  a.stdw(directorField('requestAt'), r1)
  return ended(a)
}

/** Takes the lead, and says where the program got to. It returns 0, or 1 when there is no such entry, or the program had not the lead. */
export function takeLeadProgram(): Program {
  const a = new Assembler('hf_take_lead')
  findEntry(a)
  a.ldxdw(r1, directorField('requestAt'))
  a.jeq(r1, 0, 'none')
  // It counts as soon as the other does not: a retransmission in between goes where it went before.
  a.stw(directorField('forwardUntil'), r1)
  a.mov(r1, 0)
  a.atomicExchange(directorField('requestAt'), r1)
  a.stw(directorField('forwardUntil'), r1)
  a.stw(at(r6, leadFields.sequence), r1)
  a.ldxw(r1, directorField('requestAck'))
  a.stw(at(r6, leadFields.acknowledgement), r1)
  return ended(a)
}

/** The entry in r7, what the program is called with in r6; or on to `none`. */
function findEntry(a: Assembler): void {
  a.mov(r6, r1)
  // A helper takes no part of what the program is called with.
  const key = new Frame().take(leadFields.sequence)
  for (let offset = 0; offset < leadFields.sequence; offset += 8) a.ldxdw(r1, at(r6, offset)).stdw(key.plus(offset), r1)
  a.call('map_lookup_elem', maps.flows, key.address)
  a.jeq(r0, 0, 'none')
  a.mov(r7, r0)
}

function ended(a: Assembler): Program {
  a.mov32(r0, 0)
  a.exit()
  a.label('none')
  a.mov32(r0, 1)
  a.exit()
  return a.assemble()
}
