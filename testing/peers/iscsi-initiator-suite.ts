/** What the iSCSI initiator must be able to do with any target: written once, run against each. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { connectDisk, discoverTargets, IscsiDisk, IscsiSession, lunField, ScsiError } from '@holdfast/iscsi/initiator'
import type { DiskOptions } from '@holdfast/iscsi/initiator'
import { UsageError } from '@holdfast/wire'
import { randomContent } from './folder.ts'
import { interruptionTests } from './iscsi-initiator-interruptions.ts'
import { code, kibibyte, mebibyte } from './iscsi-initiator-target.ts'
import type { Context, Target } from './iscsi-initiator-target.ts'
import { recoveryTests } from './iscsi-initiator-recovery.ts'

const misuse = (expected: string) => (error: unknown) => error instanceof UsageError && error.code === expected

/** Everything, against a target that is started for it. */
export function iscsiInitiatorSuite(name: string, start: () => Promise<Target>, options: { readonly skip: string | false }): void {
  describe(name, { skip: options.skip, timeout: 300_000 }, () => {
    let target: Target
    let disk: IscsiDisk

    const connect = async (more: Partial<DiskOptions> = {}): Promise<IscsiDisk> => {
      const { host, port, lun, user, password } = target
      return connectDisk({ host, port, target: target.target, lun, user, password, timeoutMs: 10_000, ...more })
    }
    const context = (): Context => ({ target, disk, connect })

    before(async () => {
      target = await start()
      disk = await connect()
    })
    after(async () => {
      await disk?.close()
      await target?.[Symbol.asyncDispose]()
    })

    describe('login (RFC 7143 6.3)', () => loginTests(context))
    describe('a disk', () => diskTests(context))
    describe('transfers, however they are cut', () => transferTests(context))
    describe('commands', () => commandTests(context))
    describe('a connection that is lost', () => interruptionTests(context))
    describe('error recovery (RFC 7143 7)', () => recoveryTests(context))
  })
}

function loginTests(context: () => Context): void {
  test('discovery finds the target and where it is', async () => {
    const { host, port, target } = context().target
    const found = await discoverTargets({ host, port })
    assert.deepEqual(
      found.find(({ name }) => name === target)?.addresses.map(address => [address.host, address.port]),
      [[host, port]],
    )
    assert.deepEqual(
      (await discoverTargets({ host, port, target })).map(({ name }) => name),
      [target],
    )
  })

  test('a wrong password, a user that is none, and none at all are refused', async () => {
    const { target, connect } = context()
    await assert.rejects(connect({ password: 'Wrong-Horse-1' }), code('AUTHENTICATION_FAILED'))
    await assert.rejects(connect({ user: 'nobody' }), code('AUTHENTICATION_FAILED'))
    const { host, port, lun } = target
    await assert.rejects(connectDisk({ host, port, lun, target: target.target }), code('AUTHENTICATION_FAILED'))
  })

  test('a target that is not there is not found', async () => {
    await assert.rejects(context().connect({ target: 'iqn.2026-11.io.holdfast:nowhere' }), code('NO_SUCH_TARGET'))
  })

  test('a port where nobody is, and a signal', async () => {
    await assert.rejects(context().connect({ port: 1 }), code('CONNECTION_FAILED'))
    await assert.rejects(context().connect({ signal: AbortSignal.abort(new Error('enough')) }), /enough/)
  })

  test('a target proves itself, and one that cannot is left (mutual CHAP)', async t => {
    const { target, connect } = context()
    if (target.targetCredentials === undefined) return t.skip('this target does not prove itself')
    await using disk = await connect({ targetCredentials: target.targetCredentials })
    assert.ok(disk.sizeBytes > 0)
    await assert.rejects(connect({ targetCredentials: { password: 'another-secret' } }), code('TARGET_NOT_AUTHENTIC'))
    await assert.rejects(connect({ targetCredentials: { ...target.targetCredentials, user: 'somebody' } }), code('TARGET_NOT_AUTHENTIC'))
  })

  for (const hash of ['md5', 'sha1', 'sha256', 'sha3-256'] as const) {
    test(`CHAP by ${hash}, where the target has it`, async t => {
      const { target, connect } = context()
      // tgt has only the first, and takes the number of SHA-256 for that of SHA-1.
      if (target.vendor === 'IET' && hash !== 'md5') return t.skip('tgt does not')
      await using disk = await connect({ chapHashes: [hash] })
      assert.ok(disk.sizeBytes > 0)
    })
  }

  test('options that make no sense are refused before anything is sent', async () => {
    const { connect } = context()
    await assert.rejects(connect({ target: 'disk' }), misuse('bad-name'))
    await assert.rejects(connect({ initiatorName: 'me' }), misuse('bad-name'))
    await assert.rejects(connect({ connections: 0 }), misuse('bad-option'))
    await assert.rejects(connect({ targetCredentials: { password: context().target.password } }), misuse('bad-credentials'))
  })
}

function diskTests(context: () => Context): void {
  test('says who it is and how large', () => {
    const { disk, target } = context()
    assert.equal(disk.identity.vendor, target.vendor)
    assert.match(disk.identity.designator, /^naa\.[0-9a-f]{16}/)
    assert.notEqual(disk.identity.serial, '')
    assert.equal(disk.blockBytes, 512)
    assert.equal(disk.sizeBytes, 64 * mebibyte)
    assert.equal(disk.isThin, true)
  })

  test('holds what is written, durable or not', async () => {
    const { disk } = context()
    const content = randomContent(256 * kibibyte)
    await disk.write(mebibyte, content)
    assert.deepEqual(await disk.read(mebibyte, content.length), content)
    await disk.write(mebibyte, content.subarray(4096), { fua: true })
    await disk.flush()
    const into = Buffer.alloc(4096)
    assert.equal(await disk.read(mebibyte, into), into)
    assert.deepEqual(into, content.subarray(4096, 8192))
  })

  test('a unit that is not there, blocks that are not there, ranges that are none', async () => {
    const { disk, connect } = context()
    await assert.rejects(connect({ lun: 77 }), code('NO_SUCH_UNIT'))
    await assert.rejects(disk.read(disk.sizeBytes, 512), misuse('out-of-range'))
    await assert.rejects(disk.read(1, 512), misuse('unaligned'))
    await assert.rejects(disk.write(0, Buffer.alloc(100)), misuse('unaligned'))
    const beyond = Buffer.from('88000000000000ffff000000000100000000'.slice(0, 32), 'hex')
    await assert.rejects(disk.execute(beyond, { dataInBytes: 512 }), (error: unknown) => {
      assert.ok(error instanceof ScsiError)
      assert.equal(error.code, 'LBA_OUT_OF_RANGE')
      assert.equal(error.sense?.key, 5)
      assert.match(error.message, /READ \(16\): ILLEGAL REQUEST: LOGICAL BLOCK ADDRESS OUT OF RANGE/)
      return true
    })
  })

  test('ranges are unmapped, in as many commands as it takes', async () => {
    const { disk } = context()
    await disk.write(2 * mebibyte, Buffer.alloc(mebibyte, 7))
    await disk.unmap([])
    await disk.unmap(Array.from({ length: 300 }, (_, i) => ({ offset: 2 * mebibyte + i * 2048, lengthBytes: 1024 })))
    await disk.unmap([{ offset: 2 * mebibyte + 700 * kibibyte, lengthBytes: 100 * kibibyte }])
    await disk.flush()
    assert.equal((await disk.read(2 * mebibyte + 1024, 512))[0], 7, 'what lies between stays')
    assert.equal((await disk.read(2 * mebibyte + 900 * kibibyte, 512))[0], 7)
  })

  test('zeros and repeated blocks', async () => {
    const { disk } = context()
    const block = randomContent(512)
    await disk.writeSame({ offset: 4 * mebibyte, lengthBytes: 128 * kibibyte }, block)
    const read = await disk.read(4 * mebibyte, 128 * kibibyte)
    for (let at = 0; at < read.length; at += 512) assert.deepEqual(read.subarray(at, at + 512), block)
    await disk.zero({ offset: 4 * mebibyte, lengthBytes: 64 * kibibyte })
    assert.ok((await disk.read(4 * mebibyte, 64 * kibibyte)).every(byte => byte === 0))
    assert.deepEqual(await disk.read(4 * mebibyte + 64 * kibibyte, 512), block)
    await assert.rejects(disk.writeSame({ offset: 0, lengthBytes: 512 }, Buffer.alloc(100)), misuse('unaligned'))
  })

  test('writes if nobody else did, and says where it differs', async t => {
    const { disk, target } = context()
    if (!target.comparesAndWrites) return t.skip('the disk has no COMPARE AND WRITE')
    const [before, after] = [randomContent(512), randomContent(512)]
    await disk.write(0, before)
    await disk.compareAndWrite(0, before, after)
    assert.deepEqual(await disk.read(0, 512), after)
    await assert.rejects(disk.compareAndWrite(0, before, after), code('MISCOMPARE'))
    await assert.rejects(disk.compareAndWrite(0, before, Buffer.alloc(1024)), misuse('unaligned'))
    const many = Buffer.alloc((disk.limits.compareAndWriteBlocks + 1) * 512)
    await assert.rejects(disk.compareAndWrite(0, many, many), misuse('out-of-range'))
  })
}

function transferTests(context: () => Context): void {
  const settings: readonly (readonly [string, Partial<DiskOptions>])[] = [
    ['data with the command and before it is asked for', {}],
    ['nothing unsolicited', { unsolicitedData: false }],
    ['segments of 512 bytes', { receiveBytesMax: 512 }],
    ['segments of an odd length', { receiveBytesMax: 4099 }],
    ['a header digest', { headerDigest: 'required' }],
    ['a data digest', { dataDigest: 'required' }],
    ['both digests, and segments of an odd length', { headerDigest: 'required', dataDigest: 'required', receiveBytesMax: 1021 }],
  ]
  for (const [title, more] of settings) {
    test(title, async t => {
      const { target, connect } = context()
      if (!target.padsSegments && (more.receiveBytesMax ?? 0) % 4 !== 0) return t.skip('the target does not pad segments')
      await using disk = await connect(more)
      assert.equal(disk.session.agreed.HeaderDigest, more.headerDigest === 'required' ? 'CRC32C' : 'None')
      assert.equal(disk.session.agreed.DataDigest, more.dataDigest === 'required' ? 'CRC32C' : 'None')
      for (const lengthBytes of [512, 1024, 8 * kibibyte, 64 * kibibyte, 65 * kibibyte, 257 * kibibyte, mebibyte + 512, 5 * mebibyte]) {
        const content = randomContent(lengthBytes)
        await disk.write(8 * mebibyte, content)
        assert.ok((await disk.read(8 * mebibyte, lengthBytes)).equals(content), `${lengthBytes} bytes`)
      }
    })
  }

  test('many at the same time, more than the target takes at once', async () => {
    const { disk } = context()
    const blocks = Array.from({ length: 700 }, () => randomContent(4096))
    await Promise.all(blocks.map(async (block, i) => disk.write(16 * mebibyte + i * 4096, block)))
    const read = await Promise.all(blocks.map(async (_, i) => disk.read(16 * mebibyte + i * 4096, 4096)))
    for (const [i, block] of blocks.entries()) assert.ok(read[i].equals(block), `block ${i}`)
  })

  test('several connections in a session', async t => {
    const { target, connect } = context()
    if (target.connections === 1) return t.skip('the target has one connection in a session')
    await using disk = await connect({ connections: target.connections })
    assert.equal(disk.session.connections, target.connections)
    const content = randomContent(6 * mebibyte)
    await disk.write(20 * mebibyte, content)
    assert.ok((await disk.read(20 * mebibyte, content.length)).equals(content))
    await disk.session.ping()
  })

  test('two sessions see what each other writes', async () => {
    const { disk, connect } = context()
    await using other = await connect({ initiatorName: 'iqn.2026-11.io.holdfast:initiator:other' })
    const content = randomContent(4096)
    await disk.write(30 * mebibyte, content)
    assert.deepEqual(await other.read(30 * mebibyte, 4096), content)
  })
}

function commandTests(context: () => Context): void {
  test('any CDB, with data in', async () => {
    const { data, residualBytes } = await context().disk.execute(Buffer.from('120000002400', 'hex'), { dataInBytes: 200 })
    assert.ok(data.length >= 36, `${data.length} bytes`)
    assert.equal(data.length + residualBytes, 200)
  })

  test('more than was expected is a residual, not an error', async () => {
    // READ (10) of two blocks, into one.
    const { data, residualBytes } = await context().disk.execute(Buffer.from('28000000000000000200', 'hex'), { dataInBytes: 512 })
    assert.equal(data.length, 512)
    assert.equal(residualBytes, -512)
  })

  test('a command that there is not', async () => {
    await assert.rejects(context().disk.execute(Buffer.from('ff0000000000', 'hex')), code('INVALID_OPCODE', 'ILLEGAL_REQUEST'))
  })

  test('a call that is aborted lets go of its buffers, and the disk goes on', async () => {
    const { disk } = context()
    const aborting = new AbortController()
    const into = Buffer.alloc(4 * mebibyte)
    const reading = disk.read(0, into, { signal: aborting.signal })
    aborting.abort(new Error('enough'))
    await assert.rejects(reading, /enough/)
    into.fill(0x5a)
    await disk.read(0, 4096)
    assert.ok(
      into.every(byte => byte === 0x5a),
      'nothing writes into a buffer that was given back',
    )
    await assert.rejects(disk.read(0, 512, { signal: AbortSignal.abort(new Error('before')) }), /before/)
  })

  test('task management (RFC 7143 11.5)', async () => {
    const { disk, target, connect } = context()
    assert.equal(await disk.session.manage('abortTaskSet', target.lun), 0)
    await using other = await connect()
    assert.equal(await other.session.manage('logicalUnitReset', target.lun), 0)
    assert.equal((await other.read(0, 512)).length, 512, 'the unit attention is not shown to callers')
    assert.equal((await disk.read(0, 512)).length, 512)
  })

  test('the units of a target', async () => {
    const { target } = context()
    const { host, port, user, password } = target
    await using session = await IscsiSession.connect({ host, port, target: target.target, user, password })
    const cdb = Buffer.from('a00000000000000001000000', 'hex')
    const dataIn = Buffer.alloc(256)
    const { status } = await session.execute({ lun: 0n, cdb, dataIn, isRepeatable: true })
    assert.equal(status, 0)
    const luns = Array.from({ length: dataIn.readUInt32BE(0) / 8 }, (_, i) => dataIn.readBigUInt64BE(8 + i * 8))
    assert.ok(luns.includes(lunField(target.lun)))
    await using disk = await IscsiDisk.attach(session, target.lun)
    assert.equal(disk.sizeBytes, 64 * mebibyte)
  })

  test('what is under way when it is closed is rejected', async () => {
    const disk = await context().connect()
    const reading = disk.read(0, mebibyte)
    const closing = disk.close()
    await assert.rejects(reading, code('CLOSED'))
    await closing
    await assert.rejects(disk.read(0, 512), code('CLOSED'))
    assert.equal(disk.state, 'closed')
  })
}
