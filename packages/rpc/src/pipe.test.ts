import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MalformedError } from '@holdfast/wire'
import * as fc from 'fast-check'
import { createPipeServices, type PipeServicesView } from './pipes.ts'
import { type PipeRead, RpcPipe, type RpcPipeLimits } from './pipe.ts'
import { faultStatus, ndr64Syntax, ndrSyntax, packetType, type Syntax, uuidBytes } from './pdu.ts'
import { operation, type RpcService, type RpcUser } from './service.ts'
import { conformantBytes, NdrReader, readParameters, u32 } from './ndr.ts'
import type { ShareView } from './srvsvc.ts'
import * as vectors from './vectors.ts'

const shareNames = ['share', 'share2', 'share3', 'share4', 'bench', 'hideunread', 'noperm']
const paths: Readonly<Record<string, string>> = { hideunread: 'share' }
const shares: ShareView[] = shareNames.map(name => ({
  name,
  type: 0,
  comment: '',
  path: `C:\\dev\\shm\\smb\\${paths[name] ?? name}`,
  currentUses: 1,
}))
const accountDomainSid = 'S-1-5-21-3921783152-3978146875-2949292928'

/** The server that the vectors were captured from. */
const reference: PipeServicesView = {
  serverName: 'REFERENCE',
  comment: 'Samba 4.17.12-Debian',
  version: { major: 6, minor: 1 },
  domainName: 'WORKGROUP',
  primaryDomain: 'WORKGROUP',
  accountDomain: 'REFERENCE',
  accountDomainSid,
  shares: () => shares,
  clock: () => new Date('2026-11-21T03:13:03.000Z'),
  accountBySid: sid => (sid === `${accountDomainSid}-1000` ? { name: 'games' } : undefined),
  accountByName: name => (name === 'games' ? { name, sid: `${accountDomainSid}-1000` } : undefined),
}
const admin: RpcUser = { name: 'games', domain: 'REFERENCE', sid: `${accountDomainSid}-1000`, isAdmin: true }
const ordinary: RpcUser = { ...admin, isAdmin: false }

const hex = (text: string): Buffer => Buffer.from(text, 'hex')

function open(name: string, options: { user?: RpcUser; view?: Partial<PipeServicesView>; limits?: Partial<RpcPipeLimits> } = {}): RpcPipe {
  const services = createPipeServices({ ...reference, ...options.view }).get(name)!
  return new RpcPipe({ services, context: { user: options.user ?? admin }, name, limits: options.limits ?? {} })
}

/** As `answers`, but comparing what the stubs say: RPC_UNICODE_STRING leaves room for choice in its MaximumLength. */
async function saysTheSame(pipe: RpcPipe, { request, response }: { request: string; response: string }) {
  const answer = await pipe.transceive(hex(request), 65_536)
  const { output } = createPipeServices(reference).get('lsarpc')![0].operations[hex(request).readUInt16LE(22)]
  const [actual, expected] = [answer!.bytes, hex(response)].map(bytes => {
    const values = readParameters(new NdrReader(stubOf(bytes)), output)
    if (values.domains) values.domains.maxEntries = 0
    return values
  })
  assert.deepEqual(actual, expected)
}

async function bound(name: string, options: Parameters<typeof open>[1] = {}): Promise<RpcPipe> {
  const pipe = open(name, options)
  const bind = { srvsvc: vectors.bindSrvsvc, wkssvc: vectors.bindWkssvc, lsarpc: vectors.bindLsarpc }[name]!
  assert.equal((await pipe.transceive(hex(bind), 4280))?.bytes[2], packetType.bindAck)
  return pipe
}

const stubOf = (pdu: Buffer): Buffer => pdu.subarray(24)

/** Referent ids are arbitrary (C706 14.3.10): numbered in the order in which they appear. */
function normalized(stub: Buffer): string {
  const copy = Buffer.from(stub)
  const ids = new Map<number, number>()
  for (let at = 0; at + 4 <= copy.length; at += 4) {
    const value = copy.readUInt32LE(at)
    if (value < 0x2_0000 || value > 0x2_1000 || value % 4 !== 0) continue
    if (!ids.has(value)) ids.set(value, ids.size)
    copy.writeUInt32LE(0xffff_0000 + ids.get(value)!, at)
  }
  return copy.toString('hex')
}

async function answers(pipe: RpcPipe, { request, response }: { request: string; response: string }, patch?: (stub: Buffer) => void) {
  const answer = await pipe.transceive(hex(request), 65_536)
  const expected = stubOf(hex(response))
  const actual = Buffer.from(stubOf(answer!.bytes))
  patch?.(expected)
  patch?.(actual)
  assert.equal(normalized(actual), normalized(expected))
  assert.equal(answer!.more, false)
  assert.deepEqual(answer!.bytes.subarray(12, 16), hex(request).subarray(12, 16), 'the call id')
}

interface ContextOffer {
  readonly id: number
  readonly abstractSyntax: Syntax
  readonly transferSyntaxes: readonly Syntax[]
}
const srvsvcSyntax: Syntax = { uuid: '4b324fc8-1670-01d3-1278-5a47bf6ee188', version: 3 }
const features: Syntax = { uuid: '6cb71c2c-9812-4540-0300-000000000000', version: 1 }

function bindPdu(contexts: readonly ContextOffer[], options: { type?: number; maxReceiveBytes?: number; auth?: Buffer } = {}): Buffer {
  const syntax = ({ uuid, version }: Syntax) => Buffer.concat([uuidBytes(uuid), u32le(version)])
  const list = contexts.map(({ id, abstractSyntax, transferSyntaxes }) =>
    Buffer.concat([Buffer.from([id, 0, transferSyntaxes.length, 0]), syntax(abstractSyntax), ...transferSyntaxes.map(syntax)]),
  )
  const fixed = Buffer.alloc(12)
  fixed.writeUInt16LE(4280, 0)
  fixed.writeUInt16LE(options.maxReceiveBytes ?? 4280, 2)
  fixed[8] = contexts.length
  return pdu(options.type ?? packetType.bind, Buffer.concat([fixed, ...list]), { ...(options.auth && { auth: options.auth }) })
}

function u32le(value: number): Buffer {
  const b = Buffer.alloc(4)
  b.writeUInt32LE(value)
  return b
}

function pdu(type: number, body: Buffer, options: { flags?: number; callId?: number; auth?: Buffer } = {}): Buffer {
  const auth = options.auth ?? Buffer.alloc(0)
  const header = Buffer.alloc(16)
  header.set([5, 0, type, options.flags ?? 3, 0x10])
  header.writeUInt16LE(16 + body.length + auth.length, 8)
  header.writeUInt16LE(auth.length === 0 ? 0 : auth.length - 8, 10)
  header.writeUInt32LE(options.callId ?? 1, 12)
  return Buffer.concat([header, body, auth])
}

function requestPdu(opnum: number, stub: Buffer, options: { flags?: number; callId?: number; contextId?: number; auth?: Buffer } = {}): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32LE(stub.length, 0)
  head.writeUInt16LE(options.contextId ?? 0, 4)
  head.writeUInt16LE(opnum, 6)
  return pdu(packetType.request, Buffer.concat([head, stub]), options)
}

const faultOf = (answer: PipeRead | undefined): number => {
  assert.equal(answer?.bytes[2], packetType.fault)
  return answer.bytes.readUInt32LE(24)
}

/** Echoes its bytes: for what concerns the pipe only. */
const echo: RpcService = {
  name: 'echo',
  uuid: '60a15ec5-4de8-11d7-a637-005056a20182',
  majorVersion: 1,
  minorVersion: 0,
  operations: {
    0: operation({
      name: 'Echo',
      input: { bytes: conformantBytes },
      output: { bytes: conformantBytes, status: u32 },
      handle: ({ bytes }) => ({ bytes: Buffer.from(bytes), status: 0 }),
    }),
  },
}
const echoContext: ContextOffer = { id: 0, abstractSyntax: { uuid: echo.uuid, version: 1 }, transferSyntaxes: [ndrSyntax] }

describe('vectors of smbd 4.17 (referent ids aside)', () => {
  test('a bind to srvsvc is accepted with NDR (C706 12.6.4.4)', async () => {
    const answer = await open('srvsvc').transceive(hex(vectors.bindSrvsvc), 4280)
    assert.equal(
      answer?.bytes.toString('hex').replace(/^(.{40}).{8}/, '$1________'),
      '05000c03100000004400000001000000b810b810________0d005c504950455c73727673766300000100000000000000045d888aeb1cc9119fe808002b10486002000000',
    )
  })
  for (const [name, vector] of Object.entries({
    'NetrShareEnumSticky level 1': vectors.shareEnum1,
    'NetrShareGetInfo level 502': vectors.shareInfo502,
    'NetrShareGetInfo level 1': vectors.shareInfo1,
  })) {
    test(`${name} is answered as smbd does (MS-SRVS 3.1.4)`, async () => answers(await bound('srvsvc'), vector))
  }
  for (const [level, vector] of Object.entries({ 2: vectors.shareEnum2, 502: vectors.shareEnum502 })) {
    test(`NetrShareEnumSticky level ${level} (MS-SRVS 3.1.4.9); as smbd does`, async () => {
      const listed = shares.map(share => ({ ...share, currentUses: level === '2' ? 0 : 1 }))
      await answers(await bound('srvsvc', { view: { shares: () => listed } }), vector)
    })
  }
  test('smbclient -L gets its shares and the resume handle back (MS-SRVS 3.1.4.8)', async () => {
    const ipc: ShareView = { name: 'IPC$', type: 0x8000_0003, comment: 'IPC Service (Samba 4.17.12-Debian)', path: '', currentUses: 1 }
    await answers(await bound('srvsvc', { user: ordinary, view: { shares: () => [...shares, ipc] } }), vectors.smbclientShareEnum)
  })
  test('NetrServerGetInfo level 101 (MS-SRVS 3.1.4.17); the server type is our own', async () => {
    await answers(await bound('srvsvc'), vectors.serverInfo101, stub => stub.fill(0, 24, 28))
  })
  test('NetrRemoteTOD (MS-SRVS 3.1.4.21); tick count and interval are our own', async () => {
    await answers(await bound('srvsvc'), vectors.remoteTod, stub => {
      stub.fill(0, 8, 12)
      stub.fill(0, 32, 36)
    })
  })
  test('NetrShareGetInfo of an unknown share: no info and an error (MS-SRVS 3.1.4.10)', async () => {
    await answers(await bound('srvsvc'), vectors.unknownShare, stub => stub.writeUInt32LE(2310, stub.length - 4))
  })
  test('NetrWkstaGetInfo level 100 (MS-WKST 3.2.4.1)', async () => answers(await bound('wkssvc'), vectors.wksta100))
  test('LsarGetUserName (MS-LSAT 3.1.4.4)', async () => saysTheSame(await bound('lsarpc'), vectors.userName))

  for (const [name, vector] of Object.entries({
    'LsarLookupNames (MS-LSAT 3.1.4.8)': vectors.lookupNames,
    'LsarLookupSids (MS-LSAT 3.1.4.11)': vectors.lookupSids,
    'LsarQueryInformationPolicy of the primary domain (MS-LSAD 3.1.4.4.4)': vectors.queryPolicy,
    'LsarClose (MS-LSAD 3.1.4.3)': vectors.close,
  })) {
    test(`${name} by a policy handle`, async () => {
      const pipe = await bound('lsarpc')
      const opened = await pipe.transceive(hex(vectors.openPolicy.request), 4280)
      const request = hex(vector.request)
      stubOf(opened!.bytes).copy(request, 24, 0, 20)
      await saysTheSame(pipe, { ...vector, request: request.toString('hex') })
    })
  }
})

describe('binding', () => {
  test('NDR64 alone is refused, NDR beside it taken, features negotiated (MS-RPCE 3.3.1.5.3)', async () => {
    const answer = await open('srvsvc').transceive(
      bindPdu([
        { id: 0, abstractSyntax: srvsvcSyntax, transferSyntaxes: [ndrSyntax] },
        { id: 1, abstractSyntax: srvsvcSyntax, transferSyntaxes: [ndr64Syntax] },
        { id: 2, abstractSyntax: srvsvcSyntax, transferSyntaxes: [features] },
        { id: 3, abstractSyntax: { ...srvsvcSyntax, version: 4 }, transferSyntaxes: [ndrSyntax] },
      ]),
      4280,
    )
    const results = answer!.bytes.subarray(44)
    const pairs = [0, 1, 2, 3].map(i => [results.readUInt16LE(i * 24), results.readUInt16LE(i * 24 + 2)])
    assert.deepEqual(pairs, [
      [0, 0],
      [2, 2],
      [3, 0],
      [2, 1],
    ])
  })

  test('a bind with a verifier is refused with authentication_type_not_recognized (MS-RPCE 2.2.2.5)', async () => {
    const auth = Buffer.from('0a050000000000004e544c4d53535000', 'hex')
    const answer = await open('srvsvc').transceive(bindPdu([{ id: 0, abstractSyntax: srvsvcSyntax, transferSyntaxes: [ndrSyntax] }], { auth }), 4280)
    assert.equal(answer?.bytes[2], packetType.bindNak)
    assert.equal(answer.bytes.readUInt16LE(16), 8)
  })

  test('alter_context adds an interface to a bound pipe (C706 12.6.4.1)', async () => {
    const pipe = await bound('srvsvc')
    const wkssvc: Syntax = { uuid: '6bffd098-a112-3610-9833-46c3f87e345a', version: 1 }
    const alter = bindPdu([{ id: 5, abstractSyntax: wkssvc, transferSyntaxes: [ndrSyntax] }], { type: packetType.alterContext })
    assert.equal((await pipe.transceive(alter, 4280))?.bytes[2], packetType.alterContextResponse)
    const request = hex(vectors.wksta100.request)
    request.writeUInt16LE(5, 20)
    assert.equal((await pipe.transceive(request, 4280))?.bytes[2], packetType.response)
  })
})

describe('calls', () => {
  test('an operation out of range, an unknown context, a bad stub: a fault each (C706 appendix E)', async () => {
    const pipe = await bound('srvsvc')
    assert.equal(faultOf(await pipe.transceive(requestPdu(200, Buffer.alloc(0)), 4280)), faultStatus.operationRange)
    assert.equal(faultOf(await pipe.transceive(requestPdu(15, Buffer.alloc(0), { contextId: 7 }), 4280)), faultStatus.unknownInterface)
    assert.equal(faultOf(await pipe.transceive(requestPdu(15, Buffer.alloc(3)), 4280)), faultStatus.badStubData)
  })

  test('a request with a verifier on a pipe without authentication is denied', async () => {
    const auth = Buffer.from('0a0500000000000000000000', 'hex')
    assert.equal(faultOf(await (await bound('srvsvc')).transceive(requestPdu(28, Buffer.alloc(4), { auth }), 4280)), faultStatus.accessDenied)
  })

  test('a big-endian request is understood (C706 14.2.5)', async () => {
    const request = Buffer.from('0500000300000000000000000000000900000008000000150000000000000064', 'hex')
    request.writeUInt16BE(request.length, 8)
    const answer = await (await bound('srvsvc')).transceive(request, 4280)
    assert.equal(answer?.bytes[2], packetType.response)
    assert.equal(answer.bytes.readUInt32LE(12), 9)
    assert.equal(stubOf(answer.bytes).readUInt32LE(0), 100)
  })

  test('requests written byte by byte and several at a time are the same calls', async () => {
    const pipe = open('srvsvc')
    for (const byte of hex(vectors.bindSrvsvc)) await pipe.write(Buffer.of(byte))
    const bytes = hex(vectors.shareInfo1.request)
    await pipe.write(Buffer.concat([bytes, bytes.subarray(0, 20)]))
    await pipe.write(bytes.subarray(20))
    assert.equal((await pipe.read(4280))?.bytes[2], packetType.bindAck)
    const first = await pipe.read(4280)
    assert.deepEqual(first, await pipe.read(4280))
    assert.equal(await pipe.read(4280), undefined)
  })

  test('fragments are joined and cut again; a short read leaves the rest for the next one (C706 12.6.3.1, MS-FSCC 2.3.50)', async () => {
    const pipe = new RpcPipe({ services: [echo], context: { user: ordinary } })
    await pipe.transceive(bindPdu([echoContext], { maxReceiveBytes: 2000 }), 4280)
    const payload = Buffer.from(Array.from({ length: 10_000 }, (_, i) => i & 0xff))
    const stub = Buffer.concat([u32le(payload.length), payload])
    await pipe.write(requestPdu(0, stub.subarray(0, 4000), { flags: 1 }))
    assert.equal(await pipe.read(100), undefined)
    await pipe.write(requestPdu(0, stub.subarray(4000, 8000), { flags: 0 }))
    await pipe.write(requestPdu(0, stub.subarray(8000), { flags: 2 }))
    assert.equal(pipe.available.messages, 6)
    const parts: Buffer[] = []
    for (;;) {
      const head = await pipe.read(24)
      if (head === undefined) break
      assert.equal(head.more, true)
      assert.ok(head.bytes.readUInt16LE(8) <= 2000)
      const rest = await pipe.read(5000)
      assert.equal(rest!.more, false)
      parts.push(rest!.bytes)
    }
    assert.deepEqual(Buffer.concat(parts), Buffer.concat([stub, u32le(0)]))
    assert.equal(pipe.available.totalBytes, 0)
  })

  test('a request and a backlog of answers have limits', async () => {
    const pipe = new RpcPipe({ services: [echo], context: { user: ordinary }, limits: { requestBytes: 10_000, unreadBytes: 5_000 } })
    await pipe.transceive(bindPdu([echoContext]), 4280)
    const stub = Buffer.concat([u32le(4000), Buffer.alloc(4000)])
    await pipe.write(requestPdu(0, stub))
    await pipe.write(requestPdu(0, stub))
    assert.throws(() => pipe.write(requestPdu(0, stub)), { code: 'RPC_UNREAD' })
    assert.throws(() => pipe.read(100), { code: 'RPC_UNREAD' })

    const long = new RpcPipe({ services: [echo], context: { user: ordinary }, limits: { requestBytes: 10_000 } })
    await long.transceive(bindPdu([echoContext]), 4280)
    await long.write(requestPdu(0, stub, { flags: 1 }))
    await long.write(requestPdu(0, stub, { flags: 0 }))
    assert.throws(() => long.write(requestPdu(0, stub, { flags: 0 })), { code: 'RPC_REQUEST_BYTES' })
  })

  test('writes that come while a call is answered are taken in their order', async () => {
    const waiting: (() => void)[] = []
    const pipe = await bound('srvsvc', { view: { shares: () => new Promise(resolve => waiting.push(() => resolve(shares))) } })
    const writes = [pipe.write(hex(vectors.shareInfo1.request)), pipe.write(hex(vectors.serverInfo101.request))]
    const read = pipe.read(4280)
    await new Promise(resolve => setImmediate(resolve))
    assert.equal(waiting.length, 1)
    waiting[0]()
    await Promise.all(writes.map(write => Promise.resolve(write)))
    assert.equal((await read)!.bytes.readUInt32LE(12), 9)
    assert.equal((await pipe.read(4280))!.bytes.readUInt32LE(12), 6)
  })
})

describe('srvsvc', () => {
  const statusOf = (answer: PipeRead | undefined): number => answer!.bytes.readUInt32LE(answer!.bytes.length - 4)

  test('levels that name paths are for administrators (MS-SRVS 3.1.4.8)', async () => {
    const pipe = await bound('srvsvc', { user: ordinary })
    assert.equal(statusOf(await pipe.transceive(hex(vectors.shareEnum1.request), 4280)), 0)
    assert.equal(statusOf(await pipe.transceive(hex(vectors.shareEnum2.request), 4280)), 5)
    assert.equal(statusOf(await pipe.transceive(hex(vectors.shareInfo502.request), 4280)), 5)
  })

  test('an unknown level is ERROR_INVALID_LEVEL (MS-SRVS 3.1.4.10)', async () => {
    const request = hex(vectors.shareInfo1.request)
    request.writeUInt32LE(77, request.length - 4)
    assert.equal(statusOf(await (await bound('srvsvc')).transceive(request, 4280)), 124)
  })

  test('sessions, opens and connections: ERROR_ACCESS_DENIED for others, lists for administrators (MS-SRVS 3.1.4.5)', async () => {
    // ServerName, one or two filters, {level, level, pointer -> {0, null}}, preferred maximum, resume handle: all null.
    const stub = (filters: number, level: number) =>
      Buffer.concat([Buffer.alloc(4 + 4 * filters), ...[level, level, 1, 0, 0, 0xffff_ffff, 0].map(u32le)])
    const view: Partial<PipeServicesView> = {
      sessions: () => [{ clientName: '192.0.2.7', userName: 'games', opens: 3, activeSeconds: 60, idleSeconds: 2 }],
      opens: () => [{ id: 9, permissions: 1, locks: 0, path: 'C:\\docs\\a', userName: 'games' }],
    }
    for (const [opnum, filters, levels] of [
      [8, 1, [0, 1]],
      [9, 2, [2, 3]],
      [12, 2, [0, 1, 2, 10, 502]],
    ] as const) {
      for (const level of levels) {
        const request = requestPdu(opnum, stub(filters, level))
        assert.equal(statusOf(await (await bound('srvsvc', { view, user: ordinary })).transceive(request, 4280)), 5, `${opnum}`)
        const answer = await (await bound('srvsvc', { view })).transceive(request, 4280)
        assert.equal(statusOf(answer), 0)
        assert.equal(answer!.bytes.includes(Buffer.from('games', 'utf16le')), level === 3 || (opnum === 12 && level !== 0))
      }
    }
  })

  test('a preferred length cuts the list; the resume handle goes on (MS-SRVS 3.1.4.8)', async () => {
    const pipe = await bound('srvsvc')
    const stub = (resume: number) => Buffer.concat([0, 1, 1, 1, 0, 0, 100, 1, resume].map(u32le))
    const seen: string[] = []
    let resume = 0
    for (let calls = 0; ; calls++) {
      assert.ok(calls < 10)
      const answer = stubOf((await pipe.transceive(requestPdu(15, stub(resume)), 4280))!.bytes)
      seen.push(...shareNames.filter(name => answer.includes(Buffer.from(`${name}\0`, 'utf16le'))))
      resume = answer.readUInt32LE(answer.length - 8)
      if (answer.readUInt32LE(answer.length - 4) === 0) break
      assert.equal(answer.readUInt32LE(answer.length - 4), 234)
    }
    assert.deepEqual(seen, shareNames)
  })
})

describe('garbage', () => {
  const requests = [...Object.values(vectors).map(vector => (typeof vector === 'string' ? vector : vector.request)), vectors.bindSrvsvc].map(hex)

  test('mutated captures raise MalformedError or are answered, nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('srvsvc', 'wkssvc', 'lsarpc'),
        fc.array(fc.tuple(fc.constantFrom(...requests), fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 6 })), { maxLength: 6 }),
        async (name, calls) => {
          const pipe = await bound(name)
          try {
            for (const [request, mutations] of calls) {
              const bytes = Buffer.from(request)
              for (const [at, value] of mutations) bytes[at % bytes.length] = value
              await pipe.write(bytes)
              while ((await pipe.read(1000)) !== undefined);
            }
          } catch (error) {
            assert.ok(error instanceof MalformedError, String(error))
          }
        },
      ),
      { numRuns: 1500 },
    )
  })

  test('random stubs for every operation: a response or a fault', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('srvsvc', 'wkssvc', 'lsarpc'), fc.nat(80), fc.uint8Array({ maxLength: 300 }), async (name, opnum, stub) => {
        const answer = await (await bound(name)).transceive(requestPdu(opnum, Buffer.from(stub)), 65_536)
        assert.ok(answer!.bytes[2] === packetType.response || answer!.bytes[2] === packetType.fault)
      }),
      { numRuns: 1000 },
    )
  })

  test('what is no DCE/RPC breaks the pipe for good', () => {
    const pipe = open('srvsvc')
    assert.throws(() => pipe.write(Buffer.alloc(32, 0xff)), { code: 'RPC_VERSION' })
    assert.throws(() => pipe.read(10), { code: 'RPC_VERSION' })
  })
})
