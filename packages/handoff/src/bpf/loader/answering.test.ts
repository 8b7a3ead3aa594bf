import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseAddress } from '@holdfast/posix/network'
import { DirectorEntry } from '../entries.ts'
import { programsUnavailable } from '../test-support/availability.ts'
import { Laboratory } from '../test-support/laboratory.ts'
import { Answering, loadAnswering, mssOf } from './answering.ts'
import { Pins } from './pins.ts'

const skip = programsUnavailable()
const vip = parseAddress('10.0.0.100')
const constants = { vip, vipPort: 80, raisePort: 7002, linkBytes: 14, synAckMss: mssOf('lo', vip) }

describe('a program that answers SYNs', { skip }, () => {
  const loaded = (entryBytes: number): Answering | string => {
    using laboratory = new Laboratory(entryBytes)
    return loadAnswering(constants, { flows: laboratory.flows, totals: laboratory.totalsMap }, Pins.open(undefined))
  }

  test('is loaded where the kernel takes it', () => {
    const answering = loaded(DirectorEntry.fixedSize)
    assert.ok(answering instanceof Answering)
    assert.ok(answering.program.info().verifiedInstructions < 50_000)
    answering[Symbol.dispose]()
  })

  test('is not where the kernel refuses it, and why is told in a line', () => {
    // No kernel before Linux 6.0 is at hand; entries that are shorter than the program believes will do.
    const reason = loaded(8)
    assert.ok(typeof reason === 'string')
    assert.match(reason, /^the kernel does not let the program answer clients' SYNs .*: BPF_PROG_LOAD: E[A-Z]+$/)
  })
})

test("MSS is what the interface's MTU leaves (RFC 6691 2)", () => {
  assert.deepEqual([mssOf('lo', vip), mssOf('lo', parseAddress('fd00::1'))], [65_536 - 40, 65_536 - 60])
})
