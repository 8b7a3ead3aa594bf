import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmdirSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { errno, unsupportedReason } from '../index.ts'
import { interfaceIndex } from '../network.ts'
import {
  BPF_EXIST,
  BPF_F_NO_PREALLOC,
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_HASH,
  BPF_MAP_TYPE_PERCPU_ARRAY,
  BPF_NOEXIST,
  BPF_PROG_TYPE_SCHED_CLS,
  TC_ACT_OK,
  TC_ACT_SHOT,
  VerifierError,
  createMap,
  createTcxLink,
  enableStatistics,
  isBpfFilesystem,
  loadProgram,
  mountBpfFilesystem,
  openPinnedLink,
  openPinnedMap,
  openPinnedProgram,
  possibleCpus,
  unmount,
} from './index.ts'
import type { BpfMap } from './index.ts'

/** Why there is no bpf here: not Linux, or not allowed. */
const skip = ((): string | false => {
  if (unsupportedReason !== undefined) return unsupportedReason
  try {
    createMap({ type: BPF_MAP_TYPE_ARRAY, keyBytes: 4, valueBytes: 8, maxEntries: 1 })[Symbol.dispose]()
    return false
  } catch (error) {
    return `bpf(2): ${(error as Error).message}`
  }
})()

/** opcode, dst | src << 4, offset, immediate. */
const instructions = (...rows: readonly (readonly [op: number, registers?: number, offset?: number, immediate?: number])[]): Buffer => {
  const code = Buffer.alloc(rows.length * 8)
  rows.forEach(([op, registers = 0, offset = 0, immediate = 0], index) => {
    code.writeUInt8(op, index * 8)
    code.writeUInt8(registers, index * 8 + 1)
    code.writeInt16LE(offset, index * 8 + 2)
    code.writeInt32LE(immediate, index * 8 + 4)
  })
  return code
}
/** r0 = value; exit. */
const returns = (value: number): Buffer => instructions([0xb7, 0, 0, value], [0x95])
const program = (code: Buffer, name = 'test'): ReturnType<typeof loadProgram> =>
  loadProgram({ type: BPF_PROG_TYPE_SCHED_CLS, instructions: code, name })

const bytes = (...values: number[]): Buffer => Buffer.from(values)
const number = (value: number): Buffer => {
  const key = Buffer.alloc(4)
  key.writeUInt32LE(value)
  return key
}

describe('maps', { skip }, () => {
  const shape = { type: BPF_MAP_TYPE_HASH, keyBytes: 3, valueBytes: 5, maxEntries: 2, flags: BPF_F_NO_PREALLOC, name: 'hf_test' }

  test('update, lookup, remove, and how they fail', () => {
    using map = createMap(shape)
    const value = Buffer.alloc(5)
    // In the middle of a Buffer as well.
    const key = Buffer.from('xabcx').subarray(1, 4)
    assert.equal(map.lookup(key, value), -errno.ENOENT)
    assert.equal(map.remove(key), -errno.ENOENT)
    assert.equal(map.update(key, bytes(1, 2, 3, 4, 5), BPF_EXIST), -errno.ENOENT)
    assert.equal(map.update(key, bytes(1, 2, 3, 4, 5), BPF_NOEXIST), 0)
    assert.equal(map.update(key, bytes(6, 6, 6, 6, 6), BPF_NOEXIST), -errno.EEXIST)
    assert.equal(map.lookup(Buffer.from('abc'), value), 0)
    assert.deepEqual(value, bytes(1, 2, 3, 4, 5))
    assert.equal(map.update(Buffer.from('abd'), value), 0)
    assert.equal(map.update(Buffer.from('abe'), value), -errno.E2BIG)
    assert.equal(map.remove(key), 0)
    assert.equal(map.lookup(key, value), -errno.ENOENT)
    assert.equal(map.take(key, value), -errno.ENOENT)
    assert.equal(map.take(Buffer.from('abd'), value.fill(0)), 0)
    assert.deepEqual(value, bytes(1, 2, 3, 4, 5))
    assert.equal(map.lookup(Buffer.from('abd'), value), -errno.ENOENT)
    assert.throws(() => map.lookup(Buffer.alloc(2), value), RangeError)
    assert.throws(() => map.lookup(Buffer.alloc(3), Buffer.alloc(4)), RangeError)
  })

  test('all entries of a map that is larger than a batch, by key and at once', () => {
    using map = createMap({ ...shape, keyBytes: 4, valueBytes: 8, maxEntries: 10_000 })
    const value = Buffer.alloc(8)
    for (let i = 0; i < 5000; i++) {
      value.writeUInt32LE(i * 3)
      assert.equal(map.update(number(i), value), 0)
    }
    const seen = new Map<number, number>()
    map.forEach((key, found) => void seen.set(key.readUInt32LE(), found.readUInt32LE()))
    assert.equal(seen.size, 5000)
    for (const [key, found] of seen) assert.equal(found, key * 3)

    const keys = new Set<number>()
    const key = Buffer.alloc(4)
    let previous: Buffer | undefined
    while (map.nextKey(previous, key) === 0) {
      keys.add(key.readUInt32LE())
      previous = Buffer.from(key)
    }
    assert.equal(keys.size, 5000)

    map.forEach(each => assert.equal(map.remove(each), 0))
    map.forEach(() => assert.fail('the map is empty'))
    assert.equal(map.nextKey(undefined, key), -errno.ENOENT)
  })

  test('several entries in one call, up to the one that fails', () => {
    using map = createMap({ ...shape, keyBytes: 1, valueBytes: 2, maxEntries: 4 })
    const value = Buffer.alloc(2)
    assert.equal(map.updateBatch(Buffer.from('abc'), Buffer.from('AaBbCc'), 3), 3)
    assert.equal(map.lookup(Buffer.from('b'), value), 0)
    assert.equal(String(value), 'Bb')
    assert.equal(map.updateBatch(Buffer.from('adef'), Buffer.from('A.D.E.F.'), 4), 2, 'there is room for four')
    assert.equal(map.lookup(Buffer.from('a'), value), 0)
    assert.equal(String(value), 'A.')
    assert.equal(map.removeBatch(Buffer.from('abxc'), 4), 2)
    assert.equal(map.removeBatch(Buffer.from('cd'), 2), 2)
    assert.equal(map.removeBatch(Buffer.alloc(0), 0), 0)
    map.forEach(() => assert.fail('the map is empty'))
    assert.throws(() => map.updateBatch(Buffer.from('ab'), Buffer.from('AaB'), 2), RangeError)
    assert.throws(() => map.removeBatch(Buffer.from('ab'), 3), RangeError)
  })

  test('a value of a per-CPU array has a part for each CPU', () => {
    using map = createMap({ type: BPF_MAP_TYPE_PERCPU_ARRAY, keyBytes: 4, valueBytes: 8, maxEntries: 4 })
    assert.equal(map.valueBytes, 8 * possibleCpus())
    const value = Buffer.alloc(map.valueBytes)
    for (let cpu = 0; cpu < possibleCpus(); cpu++) value.writeBigUInt64LE(2n ** 33n + BigInt(cpu), cpu * 8)
    assert.equal(map.update(number(2), value), 0)
    assert.equal(map.sum(2), possibleCpus() * 2 ** 33 + (possibleCpus() * (possibleCpus() - 1)) / 2)
    assert.equal(map.sum(3), 0)
    assert.throws(() => map.sum(4), { code: 'ENOENT' })
  })

  test('what the kernel does not take, and names it would not', () => {
    assert.throws(() => createMap({ ...shape, keyBytes: 0 }), { code: 'EINVAL', call: 'BPF_MAP_CREATE' })
    for (const name of ['a name', 'sixteen_letters_', 'é']) assert.throws(() => createMap({ ...shape, name }), { code: 'EINVAL' })
  })

  test('a thread has memory of its own for the calls; the descriptor is good there as well', async () => {
    using map = createMap({ ...shape, keyBytes: 4, valueBytes: 8, maxEntries: 4000 })
    const code = `
      const { workerData } = require('node:worker_threads')
      import(workerData.module).then(({ BpfMap }) => {
        const map = new BpfMap(workerData.fd, workerData.shape)
        const [key, value] = [Buffer.alloc(4), Buffer.alloc(8)]
        for (let i = 0; i < 1000; i++) {
          key.writeUInt32LE(workerData.from + i)
          value.writeUInt32LE((workerData.from + i) * 7)
          if (map.update(key, value) !== 0 || map.lookup(key, value) !== 0 || value.readUInt32LE() !== (workerData.from + i) * 7) throw new Error('differs')
        }
      })`
    const module = new URL('./index.ts', import.meta.url).href
    const workers = [0, 1000].map(
      from => new Worker(code, { eval: true, workerData: { module, fd: map.fd, shape: { ...shape, keyBytes: 4, valueBytes: 8 }, from } }),
    )
    const ended = workers.map(worker => new Promise((resolve, reject) => void worker.on('exit', resolve).on('error', reject)))
    assert.deepEqual(await Promise.all(ended), [0, 0])
    let count = 0
    map.forEach((key, value) => {
      count++
      assert.equal(value.readUInt32LE(), key.readUInt32LE() * 7)
    })
    assert.equal(count, 2000)
  })
})

describe('programs', { skip }, () => {
  const packet = Buffer.alloc(64, 7)

  test('run on a packet, as often as wanted', () => {
    using shot = program(returns(TC_ACT_SHOT))
    assert.equal(shot.testRun({ packet, repeat: 10 }).returned, TC_ACT_SHOT)
    // r0 = -1
    using next = program(returns(-1))
    assert.equal(next.testRun({ packet }).returned, -1)
  })

  test('see and change the packet and its context', () => {
    // r6 = r1; r2 = mark; r2 += 1; mark = r2; r1 = r6; *(u8 *)(fp - 8) = 0x42; bpf_skb_store_bytes(skb, 20, fp - 8, 1, 0); r0 = len; exit
    const markAt = 8
    using change = program(
      instructions(
        [0xbf, 0x16],
        [0x61, 0x12, markAt],
        [0x07, 0x02, 0, 1],
        [0x63, 0x21, markAt],
        [0x72, 0x0a, -8, 0x42],
        [0xb7, 0x02, 0, 20],
        [0xbf, 0xa3],
        [0x07, 0x03, 0, -8],
        [0xb7, 0x04, 0, 1],
        [0xb7, 0x05, 0, 0],
        [0x85, 0, 0, 9],
        [0x61, 0x60, 0],
        [0x95],
      ),
    )
    const [output, context, contextOutput] = [Buffer.alloc(100), Buffer.alloc(192), Buffer.alloc(192)]
    context.writeUInt32LE(41, markAt)
    const result = change.testRun({ packet, output, context, contextOutput })
    assert.deepEqual([result.returned, result.outputBytes], [64, 64])
    assert.deepEqual(output.subarray(0, 64), Buffer.concat([packet.subarray(0, 20), bytes(0x42), packet.subarray(21)]))
    assert.equal(contextOutput.readUInt32LE(markAt), 42)
    assert.throws(() => change.testRun({ packet, output: Buffer.alloc(10) }), { code: 'ENOSPC' })
  })

  test('that the verifier refuses are told why', () => {
    // r0 = *(u32 *)(r1 + 10000); exit
    assert.throws(
      () => program(instructions([0x61, 0x10, 10_000], [0x95])),
      (error: unknown) =>
        error instanceof VerifierError &&
        error.code === 'EACCES' &&
        /invalid bpf_context access/.test(error.log) &&
        error.message.includes(error.log),
    )
    assert.throws(() => program(instructions([0xff])), VerifierError)
    using logged = loadProgram({ type: BPF_PROG_TYPE_SCHED_CLS, instructions: returns(0), log: true })
    assert.match(logged.log, /processed 2 insns/)
  })

  test('count their runs when asked to', () => {
    using counted = program(returns(0), 'hf_counted')
    assert.equal(counted.info().name, 'hf_counted')
    assert.equal(counted.info().verifiedInstructions, 2)
    using _statistics = enableStatistics()
    counted.testRun({ packet, repeat: 5 })
    const { runs, runNs } = counted.info()
    assert.equal(runs, 5)
    assert.ok(runNs > 0)
  })
})

describe('links and pins', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bpf-'))
  let mounted: string | false = false
  try {
    if (skip === false) mountBpfFilesystem(folder)
  } catch (error) {
    mounted = (error as Error).message
  }
  after(() => {
    if (skip === false && mounted === false) unmount(folder)
    rmdirSync(folder)
  })

  test('a folder becomes a bpf filesystem, and is none before', { skip: mounted }, () => {
    assert.equal(isBpfFilesystem(tmpdir()), false)
    assert.equal(isBpfFilesystem('/nowhere'), false)
    assert.equal(isBpfFilesystem(folder), true)
  })

  test('a map that is pinned is found again with what it has, and is gone with its name', { skip: mounted }, () => {
    const path = join(folder, 'map')
    assert.equal(openPinnedMap(path), undefined)
    {
      using map = createMap({ type: BPF_MAP_TYPE_HASH, keyBytes: 6, valueBytes: 8, maxEntries: 77, name: 'hf_pinned' })
      map.update(Buffer.from('abcdef'), Buffer.from('12345678'))
      map.pin(path)
      assert.throws(() => map.pin(path), { code: 'EEXIST' })
    }
    using found = openPinnedMap(path) as BpfMap
    assert.deepEqual([found.type, found.keyBytes, found.valueBytes, found.maxEntries, found.name], [BPF_MAP_TYPE_HASH, 6, 8, 77, 'hf_pinned'])
    const value = Buffer.alloc(8)
    assert.equal(found.lookup(Buffer.from('abcdef'), value), 0)
    assert.equal(String(value), '12345678')
    unlinkSync(path)
    assert.equal(openPinnedMap(path), undefined)
  })

  test('a link is pinned, found again, gets another program, and ends', { skip: mounted }, () => {
    const [linkPath, programPath] = [join(folder, 'link'), join(folder, 'program')]
    const lo = interfaceIndex('lo')
    {
      using first = program(returns(TC_ACT_OK), 'first')
      using link = createTcxLink(first, lo, 'egress')
      assert.deepEqual(link.info(), { interfaceIndex: lo, programId: first.info().id, direction: 'egress' })
      link.pin(linkPath)
      first.pin(programPath)
    }
    assert.ok(existsSync(linkPath))
    using first = openPinnedProgram(programPath)
    assert.equal(first?.info().name, 'first')
    using link = openPinnedLink(linkPath)
    assert.ok(link !== undefined)
    assert.equal(link.info().programId, first?.info().id)
    using second = program(returns(-1), 'second')
    link.update(second)
    assert.deepEqual(link.info(), { interfaceIndex: lo, programId: second.info().id, direction: 'egress' })
    link.detach()
    assert.equal(link.info().interfaceIndex, 0)
    assert.throws(() => link.update(second), { code: 'ENOLINK' })
    unlinkSync(linkPath)
    unlinkSync(programPath)
    assert.equal(openPinnedLink(linkPath), undefined)
  })

  test('there is no interface with that number', () => {
    using pass = program(returns(TC_ACT_OK))
    assert.throws(() => createTcxLink(pass, 0x7fff_fff0, 'ingress'), { code: 'ENODEV' })
  })
})
