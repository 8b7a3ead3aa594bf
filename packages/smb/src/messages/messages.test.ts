import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hex, inPlace, MalformedError } from '@holdfast/wire'
import type { Codec } from '@holdfast/wire'
import { captured, capturedBytes } from './captured.ts'
import * as smb from './index.ts'

const malformed = (code: string) => (error: unknown) => error instanceof MalformedError && error.code === code
const codecs = smb as unknown as Readonly<Record<string, Codec<unknown>>>

describe('captured messages', () => {
  for (const { title, codec, bytes } of captured) {
    test(`${title} comes back byte for byte`, () => {
      const layout = codecs[codec]
      const message = Buffer.concat([Buffer.alloc(smb.headerSize, 0xcc), bytes])
      const value = layout.decode(message, smb.headerSize)
      const again = Buffer.alloc(smb.headerSize + layout.encodedLength(value), 0xcc)
      layout.encode(value, again, smb.headerSize)
      // The header's and the transform's authentication field isn't part of the value or is zero in these.
      assert.deepEqual(again, message)
    })
  }
})

test('the header (2.2.1.2)', () => {
  const bytes = hex(
    'fe534d42 4000 0100 00000000 0500 2000 0d000000 70000000 0700000000000000 fffe0000 05000000 0c00000000000080 00112233445566778899aabbccddeeff',
  )
  const header = smb.Header.decode(bytes)
  assert.deepEqual(header, {
    creditCharge: 1,
    status: 0,
    command: smb.Command.create,
    credits: 32,
    flags: 0xd,
    nextCommand: 0x70,
    messageId: 7n,
    processId: 0xfeff,
    treeId: 5,
    sessionId: 0x8000_0000_0000_000cn,
  })
  assert.deepEqual(smb.Header.toBytes(header), Buffer.concat([bytes.subarray(0, 48), Buffer.alloc(16)]), 'the signature is left zero')
  assert.deepEqual(smb.signatureOf(bytes), hex('00112233445566778899aabbccddeeff'))
  assert.throws(() => smb.Header.decode(bytes.subarray(0, 63)), malformed('truncated'))
})

test('an asynchronous header has an AsyncId in place of the TreeId (2.2.1.1)', () => {
  const bytes = smb.AsyncHeader.toBytes({
    command: smb.Command.read,
    credits: 1,
    flags: smb.HeaderFlags.asyncCommand | smb.HeaderFlags.serverToRedir,
    status: smb.NtStatus.PENDING,
    messageId: 3n,
    asyncId: 0x1_0000_0002n,
  })
  assert.equal(bytes.length, smb.headerSize)
  assert.equal(smb.asyncIdOf(smb.Header.decode(bytes)), 0x1_0000_0002n)
  assert.ok(smb.isAsync(smb.Header.decode(bytes)))
})

test('a compound is split at NextCommand (3.2.4.1.4)', () => {
  const echo = Buffer.concat([
    smb.Header.toBytes({ command: smb.Command.echo, credits: 1, messageId: 1n, nextCommand: 72 }),
    hex('04000000 00000000'),
  ])
  const last = Buffer.concat([smb.Header.toBytes({ command: smb.Command.echo, credits: 1, messageId: 2n }), hex('04000000')])
  const parts = smb.splitCompound(Buffer.concat([echo, last]))
  assert.deepEqual(
    parts.map(({ at, end }) => [at, end]),
    [
      [0, 72],
      [72, 140],
    ],
  )
  for (const nextCommand of [4, 68, 80, 144, 0xffff_fff8]) {
    echo.writeUInt32LE(nextCommand, 20)
    assert.throws(() => smb.splitCompound(Buffer.concat([echo, last])), MalformedError, String(nextCommand))
  }
})

test('NEGOTIATE as a Samba client sends it (2.2.3)', () => {
  const request = smb.NegotiateRequest.decode(capturedBytes('NegotiateRequest'))
  assert.deepEqual(request.dialects, [smb.Dialect.smb202, smb.Dialect.smb210, smb.Dialect.smb300, smb.Dialect.smb302, smb.Dialect.smb311])
  assert.equal(request.clientGuid, 'e6e453d5-3b25-44c3-bc0c-67c40d921518')
  assert.deepEqual(
    request.contexts.map(({ contextType }) => contextType),
    [1, 2, 8, 5],
  )
  assert.deepEqual(request.contexts[1], { contextType: 2, ciphers: [2, 1, 4, 3] })
  assert.deepEqual(request.contexts[3], { contextType: 5, netName: '127.0.0.1' })
})

test('contexts are neither read nor written where 3.1.1 is not offered (2.2.3)', () => {
  const bytes = smb.NegotiateRequest.toBytes({
    securityMode: 1,
    capabilities: 0,
    clientGuid: '00000000-0000-0000-0000-000000000001',
    dialects: [smb.Dialect.smb210],
    contexts: [{ contextType: 2, ciphers: [1] }],
  })
  assert.equal(bytes.length, 38)
  // ClientStartTime may be anything.
  bytes.fill(0xff, 28, 36)
  assert.deepEqual(smb.NegotiateRequest.decode(bytes).contexts, [])
})

test('a negotiate context that leads out of the message is malformed', () => {
  const bytes = Buffer.from(capturedBytes('NegotiateRequest'))
  bytes.writeUInt16LE(9, 32)
  assert.throws(() => smb.NegotiateRequest.decode(bytes), malformed('truncated'))
  bytes.writeUInt16LE(60_000, 32)
  assert.throws(() => smb.NegotiateRequest.decode(bytes), malformed('too-many-contexts'))
})

test('a NEGOTIATE response of 3.1.1 (2.2.4)', () => {
  const response = smb.NegotiateResponse.decode(capturedBytes('NegotiateResponse'))
  assert.equal(response.dialectRevision, smb.Dialect.smb311)
  assert.equal(response.maxReadSize, 0x80_0000)
  assert.equal(response.securityBuffer.length, 0x4a)
  assert.deepEqual(response.contexts.slice(1), [
    { contextType: 2, ciphers: [2] },
    { contextType: 8, signingAlgorithms: [2] },
  ])
})

test('an SMB1 negotiation names its dialects (MS-CIFS 2.2.4.52)', () => {
  const bytes = hex(`ff534d4272000000001843c80000000000000000000000000000feff00000000
    003100 024e54204c414e4d414e20312e3000 024e54204c4d20302e313200 02534d4220322e30303200 02534d4220322e3f3f3f00`)
  const dialects = ['NT LANMAN 1.0', 'NT LM 0.12', 'SMB 2.002', 'SMB 2.???']
  assert.ok(smb.isSmb1(bytes))
  assert.deepEqual(smb.decodeSmb1Dialects(bytes), dialects)
  assert.deepEqual(smb.decodeSmb1Dialects(smb.encodeSmb1Negotiate(dialects)), dialects)
  assert.throws(() => smb.decodeSmb1Dialects(bytes.subarray(0, -1)), malformed('out-of-bounds'))
})

test('SESSION_SETUP (2.2.5)', () => {
  const request = smb.SessionSetupRequest.decode(capturedBytes('SessionSetupRequest'))
  assert.equal(request.securityMode, smb.SecurityMode.signingEnabled)
  assert.equal(request.securityBuffer.subarray(0, 2).toString('hex'), '6048')
})

test('TREE_CONNECT (2.2.9), and its extension (2.2.9.1)', () => {
  assert.deepEqual(smb.TreeConnectRequest.decode(capturedBytes('TreeConnectRequest')), { flags: 0, path: '\\\\127.0.0.1\\share' })
  const bytes = hex(`${'00'.repeat(64)} 0900 0400 5800 0600  20000000 0100 00000000000000000000  5c0061006200 0000  0100 0200 00000000 abcd`)
  const request = smb.decodeTreeConnectRequest(bytes)
  assert.deepEqual(request, { flags: 4, path: '\\ab', contexts: [{ contextType: 1, data: hex('abcd') }] })
})

test('CREATE with contexts (2.2.13)', () => {
  const request = smb.CreateRequest.decode(capturedBytes('CreateRequest'))
  assert.equal(request.name, 'test_create.dat')
  assert.equal(request.desiredAccess, 0x0200_0000)
  assert.equal(request.createDisposition, smb.CreateDisposition.overwriteIf)
  const contexts = smb.CreateContexts.decode(request.createContexts)
  assert.deepEqual(
    contexts.map(({ name, data }) => [name, data.length]),
    [
      ['MxAc', 0],
      ['AlSi', 8],
      ['DHnQ', 16],
      ['TWrp', 8],
    ],
  )
  assert.deepEqual(smb.AllocationSize.decode(smb.createContext(contexts, smb.CreateContextName.allocationSize)!), { allocationSize: 0x10_0000n })
  assert.deepEqual(smb.TimewarpToken.decode(smb.createContext(contexts, smb.CreateContextName.timewarpToken)!), { timestamp: 10_000n })
  assert.equal(smb.createContext(contexts, smb.CreateContextName.queryOnDiskId), undefined)
})

test('a CREATE without the one byte of its odd StructureSize is taken', () => {
  const bytes = smb.CreateRequest.toBytes({ desiredAccess: 1, shareAccess: 7, createDisposition: 1, name: '' })
  assert.equal(bytes.length, 57)
  assert.equal(smb.CreateRequest.decode(bytes, 0, 56).name, '')
  assert.throws(() => smb.CreateRequest.decode(bytes, 0, 55), malformed('truncated'))
})

test('a lease is of version 1 or 2 by its length (2.2.13.2.8, 2.2.13.2.10)', () => {
  const contexts = smb.CreateContexts.decode(smb.CreateResponse.decode(capturedBytes('CreateResponse')).createContexts)
  const lease = smb.decodeLease(smb.createContext(contexts, smb.CreateContextName.requestLease)!)
  assert.deepEqual(lease, { version: 1, leaseKey: 'e0ddf00d-0ffe-badc-f20f-221f01f02345', leaseState: 1, leaseFlags: 0 })
  const v2 = smb.LeaseV2.toBytes({
    leaseKey: '00000000-0000-0000-0000-000000000001',
    leaseState: 7,
    parentLeaseKey: '00000000-0000-0000-0000-000000000002',
    epoch: 3,
  })
  assert.equal(v2.length, 52)
  assert.equal(smb.decodeLease(v2)?.version, 2)
  assert.equal(smb.decodeLease(v2.subarray(1)), undefined)
})

test('create contexts that chain wrongly are malformed', () => {
  const bytes = smb.CreateContexts.toBytes([
    { name: 'MxAc', data: hex('') },
    { name: 'QFid', data: hex('') },
  ])
  assert.equal(smb.CreateContexts.decode(bytes).length, 2)
  assert.deepEqual(smb.CreateContexts.decode(Buffer.alloc(0)), [])
  const changed = (at: number, value: number) => {
    const copy = Buffer.from(bytes)
    copy[at] = value
    return copy
  }
  assert.throws(() => smb.CreateContexts.decode(changed(0, 20)), malformed('bad-chain'))
  assert.throws(() => smb.CreateContexts.decode(changed(0, 8)), malformed('bad-chain'))
  assert.throws(() => smb.CreateContexts.decode(changed(0, 200)), malformed('bad-chain'))
  assert.throws(() => smb.CreateContexts.decode(changed(6, 3)), malformed('bad-length'))
  assert.throws(() => smb.CreateContexts.decode(changed(4, 60)), malformed('out-of-bounds'))
})

test('READ and WRITE payloads may be in place already', () => {
  const message = Buffer.alloc(smb.headerSize + 16 + 5, 0xaa)
  assert.equal(smb.ReadResponse.encode({ data: inPlace(5) }, message, smb.headerSize), message.length)
  assert.equal(message[smb.headerSize + 2], smb.readDataOffset)
  assert.deepEqual(smb.ReadResponse.decode(message, smb.headerSize).data, Buffer.alloc(5, 0xaa))
  const write = { offset: 2n ** 64n - 1n, fileId: { persistent: 1n, volatile: 2n }, data: inPlace(3) }
  const request = Buffer.alloc(smb.headerSize + smb.WriteRequest.encodedLength(write), 0xbb)
  smb.WriteRequest.encode(write, request, smb.headerSize)
  assert.equal(request.readUInt16LE(smb.headerSize + 2), smb.writeDataOffset)
  assert.deepEqual(smb.WriteRequest.decode(request, smb.headerSize).data, Buffer.alloc(3, 0xbb))
})

test('what is reserved may be anything, what is StructureSize may not', () => {
  const bytes = Buffer.from(capturedBytes('ReadRequest'))
  assert.equal(smb.ReadRequest.decode(bytes).length, 300)
  bytes[0] = 48
  assert.throws(() => smb.ReadRequest.decode(bytes), malformed('fixed-mismatch'))
  const lock = Buffer.from(capturedBytes('LockRequest'))
  lock.fill(0xff, 44, 48)
  assert.deepEqual(smb.LockRequest.decode(lock).locks, [
    { offset: 0n, length: 0n, flags: smb.LockFlags.exclusiveLock | smb.LockFlags.failImmediately },
  ])
  assert.deepEqual(smb.lockSequenceOf({ lockSequence: 0x123 }), { number: 3, index: 0x12 })
})

test('more locks than the message holds are malformed', () => {
  const bytes = Buffer.from(capturedBytes('LockRequest'))
  bytes.writeUInt16LE(2, 2)
  assert.throws(() => smb.LockRequest.decode(bytes), malformed('out-of-bounds'))
})

test('QUERY_INFO ignores the offset of an empty input (2.2.37)', () => {
  const bytes = Buffer.from(capturedBytes('QueryInfoRequest'))
  bytes.writeUInt16LE(0xffff, 8)
  assert.equal(smb.QueryInfoRequest.decode(bytes).input.length, 0)
})

test('ERROR responses: without data one byte, with it as contexts or plain (2.2.2)', () => {
  assert.deepEqual(smb.ErrorResponse.toBytes({}), hex('0900 00 00 00000000 00'))
  const plain = smb.ErrorResponse.decode(capturedBytes('ErrorResponse'))
  assert.equal(smb.BufferTooSmallError.decode(smb.errorDataOf(plain)).requiredLengthBytes, 20)
  const redirect = smb.ShareRedirectError.toBytes({
    ipAddrMoveList: [{ type: smb.MoveAddressType.ipv4, address: hex('0a000001') }],
    resourceName: 'share',
  })
  assert.equal(redirect.readUInt32LE(0), 48)
  const contexts = smb.ErrorContexts.toBytes([{ errorContextData: hex('01') }, { errorId: smb.ErrorId.shareRedirect, errorContextData: redirect }])
  const response = smb.ErrorResponse.decode(smb.ErrorResponse.toBytes({ errorContextCount: 2, errorData: contexts }))
  assert.deepEqual(smb.errorDataOf(response), hex('01'))
  assert.equal(smb.ShareRedirectError.decode(smb.errorDataOf(response, smb.ErrorId.shareRedirect)).resourceName, 'share')
})

test('a symbolic link error says where the link leads (2.2.2.2.1)', () => {
  const error = { unparsedPathLength: 4, flags: smb.symlinkFlagRelative, substituteName: 'ab', printName: 'c' }
  const bytes = smb.SymlinkError.toBytes(error)
  assert.deepEqual(bytes, hex('1e000000 53594d4c 0c0000a0 1200 0400 0000 0400 0400 0200 01000000 61006200 6300'))
  assert.deepEqual(smb.SymlinkError.decode(bytes), error)
})

test('IOCTL takes offsets of empty parts as they are (2.2.31)', () => {
  const bytes = Buffer.from(capturedBytes('IoctlRequest srvCopychunk'))
  bytes.writeUInt32LE(0xffff_ffff, 36)
  const { input, output, ctlCode } = smb.IoctlRequest.decode(bytes)
  assert.equal(smb.fsctlName(ctlCode), 'srvCopychunk')
  assert.equal(output.length, 0)
  const { chunks, sourceKey } = smb.SrvCopychunkCopy.decode(input)
  assert.equal(sourceKey.length, 24)
  assert.deepEqual(chunks, [{ sourceOffset: 0n, targetOffset: 0n, length: 4096 }])
})

test('a transform header (2.2.41)', () => {
  const header = smb.TransformHeader.decode(capturedBytes('TransformHeader'))
  assert.equal(header.originalMessageSize, 104)
  assert.equal(header.flags, smb.transformFlagEncrypted)
  assert.equal(header.sessionId, 0xbb58_04b2n)
  assert.equal(smb.TransformHeader.size, smb.transformHeaderSize)
})

test('statuses have their names', () => {
  assert.equal(smb.ntStatusName(0xc000_0022), 'STATUS_ACCESS_DENIED')
  assert.equal(smb.ntStatusName(0xc000_0022 | 0), 'STATUS_ACCESS_DENIED')
  assert.equal(smb.ntStatusName(0xc123_4567), '0xC1234567')
  assert.equal(new Set(Object.values(smb.NtStatus)).size, Object.keys(smb.NtStatus).length)
  assert.ok(smb.isNtError(smb.NtStatus.ACCESS_DENIED) && !smb.isNtError(smb.NtStatus.BUFFER_OVERFLOW))
})
