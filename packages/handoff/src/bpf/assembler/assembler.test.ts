import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { BPF_MAP_TYPE_PERCPU_ARRAY, BPF_PROG_TYPE_SCHED_CLS, TCX_NEXT, VerifierError, createMap, loadProgram } from '@holdfast/posix/bpf'
import { Total } from '../entries.ts'
import { loadPacketProgram } from '../loader/instance.ts'
import { programsUnavailable } from '../test-support/availability.ts'
import { Assembler, Frame, at, map, r0, r1, r2, r3, r5, r6, r10 } from './index.ts'

const skip = programsUnavailable()

/** Instructions of a program, in hexadecimal. */
const hexOf = (body: (a: Assembler) => void, maps: Record<string, number> = {}): string[] => {
  const a = new Assembler('test')
  body(a)
  return a.assemble().bytes(maps).toString('hex').match(/.{16}/g) ?? []
}

test('instructions are encoded as RFC 9669 says (opcode, registers, offset, immediate)', () => {
  const table: readonly (readonly [(a: Assembler) => void, string])[] = [
    [a => a.mov(r1, r6), 'bf61000000000000'],
    [a => a.mov(r1, -1), 'b7010000ffffffff'],
    [a => a.mov32(r0, 2), 'b400000002000000'],
    [a => a.add(r2, r1), '0f12000000000000'],
    [a => a.add32(r2, 7), '0402000007000000'],
    [a => a.sub(r2, 1), '1702000001000000'],
    [a => a.sub32(r2, r1), '1c12000000000000'],
    [a => a.or(r2, r1), '4f12000000000000'],
    [a => a.and(r2, 0xff), '57020000ff000000'],
    [a => a.xor(r2, r1), 'af12000000000000'],
    [a => a.lsh(r2, 2), '6702000002000000'],
    [a => a.rsh(r2, 4), '7702000004000000'],
    [a => a.be16(r3), 'dc03000010000000'],
    [a => a.be32(r3), 'dc03000020000000'],
    [a => a.ldxb(r1, at(r10, -8)), '71a1f8ff00000000'],
    [a => a.ldxh(r1, at(r6, 2)), '6961020000000000'],
    [a => a.ldxw(r1, at(r6)), '6161000000000000'],
    [a => a.ldxdw(r1, at(r6, 16)), '7961100000000000'],
    [a => a.stb(at(r6, 1), 5), '7206010005000000'],
    [a => a.sth(at(r6, 2), r5), '6b56020000000000'],
    [a => a.stw(at(r10, -4), 0), '620afcff00000000'],
    [a => a.stdw(at(r10, -16), r1), '7b1af0ff00000000'],
    [a => a.atomicAdd(at(r6, 8), r1), 'db16080000000000'],
    [a => a.atomicOr32(at(r6, 8), r1), 'c316080040000000'],
    [a => a.atomicExchange(at(r6, 8), r1), 'db160800e1000000'],
    [a => a.atomicCompareExchange(at(r6, 8), r2), 'db260800f1000000'],
    [a => a.div(r1, 1000), '37010000e8030000'],
    [a => a.exit(), '9500000000000000'],
  ]
  for (const [instruction, expected] of table) assert.deepEqual(hexOf(instruction), [expected])
})

test('a jump counts from the instruction behind it, forwards and backwards', () => {
  const words = hexOf(a => {
    a.label('top').jeq(r1, 0, 'end').jne(r1, r2, 'top').jne32(r1, -1, 'end').jset(r1, 4, 'top').ja('top').label('end').exit()
  })
  assert.deepEqual(words, ['1501040000000000', '5d21feff00000000', '56010200ffffffff', '4501fcff04000000', '0500fbff00000000', '9500000000000000'])
})

test('a label is looked for in its scope and in those around it', () => {
  const program = (a: Assembler): void => {
    for (const name of ['one', 'two']) {
      a.scope(name, () => {
        a.jeq(r1, 0, 'inside').jeq(r1, 1, 'end')
        a.label('inside')
      })
    }
    a.label('end').exit()
  }
  assert.deepEqual(hexOf(program), ['1501010000000000', '1501020001000000', '1501010000000000', '1501000001000000', '9500000000000000'])
  assert.throws(() => hexOf(a => a.scope('one', () => a.label('inside')).ja('inside')), /there is no label inside/)
  assert.throws(() => hexOf(a => a.label('x').label('x')), /there is a label x already/)
})

test('a call moves its arguments, and none that is overwritten before', () => {
  const place = new Frame().take(4)
  assert.deepEqual(
    hexOf(a => a.call('map_lookup_elem', map('flows'), place.address), { flows: 9 }),
    ['1811000009000000', '0000000000000000', 'bfa2000000000000', '07020000f8ffffff', '8500000001000000'],
  )
  assert.deepEqual(hexOf(a => a.call('redirect_neigh', r1, 0, 0, 0)).length, 4)
  assert.throws(() => hexOf(a => a.call('skb_load_bytes', r6, r1)), /r1 is overwritten/)
  assert.throws(() => hexOf(a => a.call('map_lookup_elem', map('flows'), place.address)), /there is no map flows/)
})

test('the stack is shared out in places of 8 bytes, and has 512', () => {
  const frame = new Frame()
  assert.deepEqual([frame.take(4).offset, frame.take(9).offset, frame.take(8).offset], [-8, -24, -32])
  assert.throws(() => frame.take(488), RangeError)
})

test('a listing reads like the verifier, with labels', () => {
  const a = new Assembler('test')
  a.mov(r6, r1).ldxw(r1, at(r6, 16)).be16(r1).jne(r1, 8, 'pass')
  a.stw(at(r10, -8), 0).call('map_lookup_elem', map('totals'), at(r10, -8).address).jeq(r0, 0, 'pass')
  a.mov(r1, 1)
    .atomicAdd(at(r0), r1)
    .atomicOr32(at(r0, 8), r1)
    .atomicExchange(at(r6), r1)
    .atomicCompareExchange(at(r6, 8), r1)
    .sub32(r1, r2)
    .jsle32(r1, 0, 'pass')
  a.label('pass').mov32(r0, -1).exit()
  assert.equal(
    a.assemble().listing(),
    `    0: r6 = r1
    1: r1 = *(u32 *)(r6 + 16)
    2: r1 = be16 r1
    3: if r1 != 8 goto pass
    4: *(u32 *)(r10 - 8) = 0
    5: r1 = map totals
    7: r2 = r10
    8: r2 += -8
    9: call bpf_map_lookup_elem
   10: if r0 == 0 goto pass
   11: r1 = 1
   12: lock *(u64 *)(r0 + 0) += r1
   13: lock *(u32 *)(r0 + 8) |= r1
   14: r1 = xchg(*(u64 *)(r6 + 0), r1)
   15: r0 = cmpxchg(*(u64 *)(r6 + 8), r0, r1)
   16: w1 -= w2
   17: if w1 s<= 0 goto pass
pass:
   18: w0 = -1
   19: exit
`,
  )
})

describe('in the kernel', { skip }, () => {
  test('a program does what it says', () => {
    using totals = createMap({ type: BPF_MAP_TYPE_PERCPU_ARRAY, keyBytes: 4, valueBytes: 8 * Total.count, maxEntries: 1 })
    const a = new Assembler('hf_count')
    const zero = new Frame().take(4)
    a.mov(r6, r1)
    a.stw(zero, 0)
    a.call('map_lookup_elem', map('totals'), zero.address)
    a.block(done => {
      a.jeq(r0, 0, done)
      a.ldxw(r1, at(r6))
      a.atomicAdd(at(r0, 8), r1)
    })
    a.mov32(r0, TCX_NEXT).exit()
    using program = loadProgram({ type: BPF_PROG_TYPE_SCHED_CLS, instructions: a.assemble().bytes({ totals: totals.fd }) })
    assert.equal(program.testRun({ packet: Buffer.alloc(100), repeat: 3 }).returned, TCX_NEXT)
    const value = Buffer.alloc(totals.valueBytes)
    totals.lookup(Buffer.alloc(4), value)
    let bytes = 0n
    for (let offset = 8; offset < value.length; offset += 8 * Total.count) bytes += value.readBigUInt64LE(offset)
    assert.equal(bytes, 300n)
  })

  test('what the verifier says of a bad one has our labels in it', () => {
    using flows = createMap({ type: BPF_MAP_TYPE_PERCPU_ARRAY, keyBytes: 4, valueBytes: 8, maxEntries: 1 })
    const a = new Assembler('hf_bad')
    a.scope('ipv4', () => a.label('read').ldxw(r0, at(r1, 4000)))
    a.exit()
    const isExplained = (error: unknown): boolean => error instanceof VerifierError && /ipv4\.read:\n0: \(61\)/.test(error.log)
    assert.throws(() => loadPacketProgram(a.assemble(), { flows, totals: flows }), isExplained)
  })
})
