import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hex, MalformedError } from '@holdfast/wire'
import { capturedBytes } from './captured.ts'
import * as messages from './index.ts'
import { AaplServerQueryResponse, IoctlResponse, NetworkInterfaceInfo, SnapshotArray } from './index.ts'

const output = (title: string): Buffer => IoctlResponse.decode(capturedBytes(`IoctlResponse ${title}`)).output

test('sizes are those of the specification', () => {
  const sizes = {
    [messages.OffloadReadInput.name]: [messages.OffloadReadInput.size, 32],
    [messages.OffloadReadOutput.name]: [messages.OffloadReadOutput.size, 528],
    [messages.OffloadWriteInput.name]: [messages.OffloadWriteInput.size, 544],
    [messages.OffloadWriteOutput.name]: [messages.OffloadWriteOutput.size, 16],
    [messages.StorageOffloadToken.name]: [messages.StorageOffloadToken.size, 512],
    [messages.DuplicateExtentsData.name]: [messages.DuplicateExtentsData.size, 40],
    [messages.FileObjectId.name]: [messages.FileObjectId.size, 64],
    [messages.QueryOnDiskIdResponse.name]: [messages.QueryOnDiskIdResponse.size, 32],
    [messages.DurableHandleReconnectV2.name]: [messages.DurableHandleReconnectV2.size, 36],
    [messages.AppInstanceVersion.name]: [messages.AppInstanceVersion.size, 24],
    [messages.CompressionHeader.name]: [messages.CompressionHeader.size, 16],
  }
  for (const [name, [size, expected]] of Object.entries(sizes)) assert.equal(size, expected, name)
})

test('the head of an offload token is big-endian (MS-FSCC 2.3)', () => {
  const token = messages.StorageOffloadToken.toBytes({ tokenType: messages.OffloadTokenType.zero, tokenIdLength: 504, tokenId: hex('01') })
  assert.deepEqual(token.subarray(0, 10), hex('ffff0001 0000 01f8 0100'))
  assert.equal(token.length, messages.offloadTokenSize)
})

test('interfaces are a list of 152 bytes each (MS-SMB2 2.2.32.5)', () => {
  const captured = output('queryNetworkInterfaceInfo')
  const interfaces = NetworkInterfaceInfo.decode(captured)
  assert.deepEqual(interfaces, [{ ifIndex: 1, capability: 0, linkSpeed: 1_000_000_000n, address: hex('7f000001'), port: 0, scopeId: 0 }])
  assert.deepEqual(NetworkInterfaceInfo.toBytes(interfaces), captured)
  const v6 = {
    ifIndex: 2,
    capability: messages.InterfaceCapability.rss,
    linkSpeed: 10n,
    address: hex('fe80000000000000 0000000000000001'),
    port: 0,
    scopeId: 2,
  }
  const two = NetworkInterfaceInfo.toBytes([...interfaces, v6])
  assert.equal(two.length, 304)
  assert.deepEqual(NetworkInterfaceInfo.decode(two)[1], v6)
})

test('a resume key comes with four bytes more than its context has (MS-SMB2 2.2.32.3)', () => {
  const captured = output('srvRequestResumeKey')
  assert.equal(captured.length, 32)
  const { resumeKey } = messages.SrvRequestResumeKeyResponse.decode(captured)
  assert.deepEqual(messages.SrvRequestResumeKeyResponse.toBytes({ resumeKey }), captured)
  assert.equal(messages.SrvRequestResumeKeyResponse.decode(captured, 0, 28).resumeKey.length, 24)
})

test('VALIDATE_NEGOTIATE_INFO (MS-SMB2 2.2.32.6)', () => {
  const response = messages.ValidateNegotiateInfoResponse.decode(output('validateNegotiateInfo'))
  assert.deepEqual(response, { capabilities: 0x4f, guid: '65666572-6572-636e-6500-000000000000', securityMode: 1, dialect: messages.Dialect.smb300 })
})

test('allocated ranges are as many as there are bytes for (MS-FSCC 2.3)', () => {
  const bytes = hex('0000000000000000 0010000000000000 0000010000000000 0010000000000000')
  assert.deepEqual(messages.QueryAllocatedRangesReply.decode(bytes).ranges, [
    { fileOffset: 0n, length: 4096n },
    { fileOffset: 0x1_0000n, length: 4096n },
  ])
  assert.deepEqual(messages.QueryAllocatedRangesReply.decode(Buffer.alloc(0)).ranges, [])
})

test('snapshots: a count alone fills 16 bytes (MS-SMB2 2.2.32.2)', () => {
  assert.deepEqual(SnapshotArray.toBytes({ numberOfSnapShots: 2, snapShotArraySize: 102, snapShots: [] }), hex('02000000 00000000 66000000 00000000'))
  const value = { numberOfSnapShots: 2, snapShotArraySize: 102, snapShots: ['@GMT-2026.11.21-03.00.00', '@GMT-2026.11.20-03.00.00'] }
  const bytes = SnapshotArray.toBytes(value)
  assert.equal(bytes.length, 12 + 102)
  assert.equal(bytes.readUInt32LE(4), 2)
  assert.deepEqual(SnapshotArray.decode(bytes), value)
})

test('a symbolic link in a REPARSE_DATA_BUFFER (MS-FSCC 2.1.2.4)', () => {
  const link = { flags: messages.SymlinkFlags.relative, substituteName: 'a\\b', printName: 'b' }
  const buffer = messages.ReparseDataBuffer.toBytes({ reparseTag: messages.ReparseTag.symlink, data: messages.SymbolicLinkReparseData.toBytes(link) })
  assert.deepEqual(buffer, hex('0c0000a0 1400 0000 0000 0600 0600 0200 01000000 61005c006200 6200'))
  assert.deepEqual(messages.SymbolicLinkReparseData.decode(messages.ReparseDataBuffer.decode(buffer).data), link)
  assert.ok(messages.isMicrosoftTag(messages.ReparseTag.symlink) && !messages.isMicrosoftTag(0x11))
})

test('a DFS referral request ends at its NUL (MS-DFSC 2.2.2)', () => {
  assert.deepEqual(messages.decodeDfsReferralRequest(hex('0400 5c006100 0000 6200')), { maxReferralLevel: 4, requestFileName: '\\a' })
  assert.throws(() => messages.decodeDfsReferralRequest(hex('0400 5c00')), MalformedError)
})

test('an AAPL answer has the parts its bitmap names', () => {
  const all = {
    serverCapabilities: messages.AaplServerCaps.supportsReadDirAttr,
    volumeCapabilities: messages.AaplVolumeCaps.supportsFullSync,
    model: 'ab',
  }
  const bytes = AaplServerQueryResponse.toBytes(all)
  assert.deepEqual(bytes, hex('01000000 00000000 0700000000000000 0100000000000000 0400000000000000 00000000 04000000 61006200'))
  assert.deepEqual(AaplServerQueryResponse.decode(bytes), all)
  assert.deepEqual(AaplServerQueryResponse.decode(AaplServerQueryResponse.toBytes({ volumeCapabilities: 1n })), { volumeCapabilities: 1n })
})
