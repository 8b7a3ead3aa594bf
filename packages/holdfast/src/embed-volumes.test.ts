/** `serve` with volumes: what becomes of them, and what is told to one who asks for what cannot be. */

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { connectDisk, discoverTargets, type Interruption, type IscsiDisk } from '@holdfast/iscsi/initiator'
import { type BlockDevice, memoryDevice } from '@holdfast/storage/block'
import { createLogger } from './log.ts'
import { type HoldfastServer, serve, type ServeOptions, type VolumeToServe } from './index.ts'

const users = { alice: 'Correct-Horse-1' }
const iscsi = '127.0.0.1:0'
const MiB = 1 << 20
let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-embed-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const portalOf = (server: HoldfastServer): { host: string; port: number } => {
  const [host, port] = server.iscsi[0].split(':')
  return { host, port: Number(port) }
}
const targetOf = (volume: string): string => `iqn.2026-11.io.holdfast:${volume}`
const connect = (server: HoldfastServer, volume: string, login: object = { user: 'alice', password: users.alice }): Promise<IscsiDisk> =>
  connectDisk({ ...portalOf(server), target: targetOf(volume), ...login })

describe('serve() with volumes', () => {
  test('a device of this thread is a disk, and no file server is beside it', async () => {
    const device = memoryDevice({ sizeBytes: 4 * MiB })
    await using server = await serve({ volumes: { ram: { device } }, users, iscsi })
    assert.deepEqual(server.smb, [])
    await using disk = await connect(server, 'ram')
    assert.deepEqual([disk.sizeBytes, disk.blockBytes, disk.isThin], [4 * MiB, 512, true])
    await disk.write(MiB, Buffer.alloc(4096, 'x'), { fua: true })
    const here = Buffer.alloc(4096)
    assert.equal(device.readNow([here], MiB), true)
    assert.deepEqual(here, Buffer.alloc(4096, 'x'))
    device.resize(8 * MiB)
    await disk.read(0, 512)
    assert.equal(disk.isCapacityStale, true)
    await disk.refresh()
    assert.equal(disk.sizeBytes, 8 * MiB)
  })

  test('devices and volumes in files stand side by side', async () => {
    const volumes = { zero: '1MiB', one: { device: memoryDevice({ sizeBytes: MiB }) }, two: { size: 2 * MiB, blockBytes: 4096 } } as const
    await using server = await serve({ volumes, users, iscsi })
    assert.deepEqual(
      (await discoverTargets(portalOf(server))).map(({ name }) => name),
      ['one', 'two', 'zero'].map(targetOf),
    )
    await using one = await connect(server, 'one')
    await using two = await connect(server, 'two')
    assert.deepEqual([two.sizeBytes, two.blockBytes], [2 * MiB, 4096])
    await two.write(0, Buffer.alloc(4096, '2'))
    await one.write(0, Buffer.alloc(512, '1'))
    assert.equal(String(await two.read(0, 4096)).slice(0, 2), '22')
  })

  test('a disk keeps who may have it: users, initiators, nobody who writes', async () => {
    const device = memoryDevice({ sizeBytes: MiB })
    const initiators = ['iqn.2026-11.io.holdfast:Friend']
    await using server = await serve({
      volumes: {
        shown: { device, noAuth: true, readOnly: true },
        friends: { device, initiators },
        bobs: { device, users: ['bob'] },
      },
      users: { ...users, bob: 'Battery-Staple-2' },
      iscsi,
    })
    await using shown = await connect(server, 'shown', {})
    await assert.rejects(shown.write(0, Buffer.alloc(512)), { name: 'ScsiError', code: 'WRITE_PROTECTED' })
    await assert.rejects(connect(server, 'bobs'), { name: 'IscsiError', code: 'AUTHENTICATION_FAILED' })
    await assert.rejects(connect(server, 'friends'), { name: 'IscsiError', code: 'NOT_AUTHORIZED' })
    await using friends = await connect(server, 'friends', { user: 'alice', password: users.alice, initiatorName: initiators[0].toLowerCase() })
    await friends.write(0, Buffer.alloc(512, 'f'))
    assert.equal(String(await shown.read(0, 512)).slice(0, 2), 'ff')
  })

  test('with a state folder a disk is the same one after a restart, its size and its reservations as well', async () => {
    const device = memoryDevice({ sizeBytes: MiB })
    const options = (size: string): ServeOptions => ({ volumes: { files: size, mine: { device } }, users, iscsi, state: folder })
    const before = await (async () => {
      await using server = await serve(options('1MiB'))
      await using files = await connect(server, 'files')
      await files.write(0, Buffer.alloc(512, 'x'))
      await using mine = await connect(server, 'mine')
      await mine.execute(registerCdb, { dataOut: registerKey('reserver') })
      return [files.identity, mine.identity]
    })()
    await using server = await serve(options('2MiB'))
    await using files = await connect(server, 'files')
    await using mine = await connect(server, 'mine')
    assert.deepEqual([files.identity, mine.identity], before)
    assert.notEqual(mine.identity.serial, files.identity.serial)
    assert.match(mine.identity.designator, /^naa\.3[0-9a-f]{15}$/)
    assert.equal(files.sizeBytes, 2 * MiB)
    assert.equal(String(await files.read(0, 512)).slice(0, 2), 'xx')
    const { data } = await mine.execute(readKeysCdb, { dataInBytes: 64 })
    assert.equal(String(data.subarray(8, 16)), 'reserver')
  })

  test('the server proves itself to an initiator that asks (mutualChap)', async () => {
    const all = { ...users, server: 'Here-I-Stand-1' }
    await using server = await serve({ volumes: { a: '1MiB' }, users: all, mutualChap: 'server', iscsi })
    const login = { user: 'alice', password: users.alice }
    await using disk = await connect(server, 'a', { ...login, targetCredentials: { user: 'server', password: all.server } })
    assert.equal(disk.sizeBytes, MiB)
    await assert.rejects(connect(server, 'a', { ...login, targetCredentials: { password: 'somebody else 1' } }), {
      name: 'IscsiError',
      code: 'TARGET_NOT_AUTHENTIC',
    })
  })

  test('a disk goes on when its server has been closed and is started again', async () => {
    const volumes = { mine: { device: memoryDevice({ sizeBytes: MiB }) } }
    const before = await serve({ volumes, users, iscsi, state: folder })
    const kinds: string[] = []
    const login = { user: 'alice', password: users.alice }
    await using disk = await connect(before, 'mine', { ...login, onInterruption: ({ kind }: Interruption) => kinds.push(kind) })
    await disk.write(0, Buffer.alloc(512, 'a'))
    await before.close()
    const written = disk.write(512, Buffer.alloc(512, 'b'))
    await using _after = await serve({ volumes, users, iscsi: before.iscsi, state: folder })
    await written
    assert.equal(String(await disk.read(0, 1024)).replaceAll(/(.)\1+/g, '$1'), 'ab')
    assert.deepEqual(kinds, ['lost', 'restored'])
  })

  test('a device that throws what is no error of a device is a fault of the hardware, and in the log', async () => {
    const device = memoryDevice({ sizeBytes: MiB })
    device.readNow = () => {
      throw new TypeError('a mistake of mine')
    }
    const lines: string[] = []
    const log = createLogger({ level: 'error', format: 'json', write: line => void lines.push(line) })
    await using server = await serve({ volumes: { mine: { device } }, users, iscsi, log })
    await using disk = await connect(server, 'mine')
    await assert.rejects(disk.read(0, 512), { name: 'ScsiError', code: 'HARDWARE_ERROR' })
    const told = lines.map(line => JSON.parse(line) as { msg: string; volume: string; error: string })
    assert.deepEqual(
      told.map(({ msg, volume, error }) => [msg, volume, error]),
      [['iscsi: a command failed inside', 'mine', 'TypeError: a mistake of mine']],
    )
    await disk.write(0, Buffer.alloc(512))
  })

  test('a device cannot have the name of a volume that the state has', async () => {
    await (await serve({ volumes: { disk0: '1MiB' }, users, iscsi, state: folder })).close()
    await assert.rejects(serve({ volumes: { disk0: { device: memoryDevice({ sizeBytes: MiB }) } }, users, iscsi, state: folder }), {
      name: 'ConfigError',
      message: 'volumes.disk0: the state has a volume of this name already; give the device another one',
    })
  })
})

/** PERSISTENT RESERVE OUT: REGISTER, and PERSISTENT RESERVE IN: READ KEYS (SPC-4 6.16, 6.15). */
const registerCdb = Buffer.from([0x5f, 0, 0, 0, 0, 0, 0, 0, 24, 0])
const readKeysCdb = Buffer.from([0x5e, 0, 0, 0, 0, 0, 0, 0, 64, 0])
/** With APTPL: it is to outlive the loss of power. */
const registerKey = (key: string): Buffer => {
  const parameters = Buffer.alloc(24)
  parameters.write(key, 8)
  parameters[20] = 1
  return parameters
}

describe('serve() says what is wrong with a volume', () => {
  const device = memoryDevice({ sizeBytes: MiB })
  const like = (changes: Partial<BlockDevice>): BlockDevice => Object.create(device, Object.getOwnPropertyDescriptors(changes)) as BlockDevice
  const wrong: readonly (readonly [title: string, volumes: Record<string, unknown>, message: string])[] = [
    [
      'a name that cannot end an IQN',
      { Disk_0: '1GiB' },
      'volumes: "Disk_0" is not allowed; allowed: a name of up to 63 lower-case letters, digits, dots and hyphens, such as disk0',
    ],
    ['a size that is none', { a: '10 gigs' }, 'volumes.a: "10 gigs" is not allowed; allowed: a size from 1MiB to 1PiB, such as 10GiB'],
    ['a size that is too small', { a: { size: 4096 } }, 'volumes.a: "4096" is not allowed; allowed: a size from 1MiB to 1PiB, such as 10GiB'],
    [
      'neither size nor device',
      { a: { readOnly: true } },
      'volumes.a: "{ readOnly }" is not allowed; allowed: a size such as 10GiB, or an object with size or device',
    ],
    [
      'both',
      { a: { size: '1GiB', device } },
      'volumes.a: "{ size, device }" is not allowed; allowed: a size such as 10GiB, or an object with size or device',
    ],
    ['nothing', { a: null }, 'volumes.a: "null" is not allowed; allowed: a size such as 10GiB, or an object with size or device'],
    [
      'a misspelled restriction',
      { a: { device, initators: [] } },
      'volumes.a: "initators" is not allowed; allowed: size, device, readOnly, noAuth, users, initiators, blockBytes',
    ],
    ['blocks of another size', { a: { device, blockBytes: 520 } }, 'volumes.a.blockBytes: "520" is not allowed; allowed: 512 or 4096'],
    [
      'an initiator without an iSCSI name',
      { a: { device, initiators: ['my-laptop'] } },
      'volumes.a.initiators: "my-laptop" is not allowed; allowed: an iSCSI name such as iqn.1993-08.org.debian:01:abcdef',
    ],
    [
      'users where nobody is asked',
      { a: { device, noAuth: true, users: ['alice'] } },
      'volumes.a: noAuth is not allowed together with users: nobody says who they are',
    ],
    [
      'an object that is no device',
      { a: { device: { sizeBytes: 4096, read() {}, write() {}, readNow() {}, writeNow() {}, flush() {}, unmap() {}, zero() {}, usage() {} } } },
      'volumes.a.device: this is no BlockDevice: it has no compareAndWrite, orWrite, provisioning, onResize',
    ],
    [
      'a device with half a block',
      { a: { device: like({ sizeBytes: MiB + 512 }) } },
      'volumes.a.device: its sizeBytes is 1049088; allowed: a multiple of 4096, a whole number of its blocks, such as 1052672',
    ],
    [
      'a device whose blocks are smaller than those it is served with',
      { a: { device: like({ sizeBytes: 5 * 512, physicalBlockBytes: 512 }), blockBytes: 4096 } },
      'volumes.a.device: its sizeBytes is 2560; allowed: a multiple of 4096, a whole number of its blocks, such as 4096',
    ],
    [
      'an empty device',
      { a: { device: like({ sizeBytes: 0 }) } },
      'volumes.a.device: its sizeBytes is 0; allowed: a multiple of 4096, a whole number of its blocks, such as 4096',
    ],
    [
      'a device with odd blocks',
      { a: { device: like({ sizeBytes: 8000, physicalBlockBytes: 1000 }) } },
      'volumes.a.device: its physicalBlockBytes is 1000; allowed: a power of two from 512, such as 4096',
    ],
  ]
  for (const [title, volumes, message] of wrong) {
    test(title, () =>
      assert.rejects(serve({ volumes: volumes as Record<string, VolumeToServe>, users, iscsi }), { name: 'ConfigError', code: 'CONFIG', message }),
    )
  }

  const remedy = 'give users a password of 12 characters or more, or the volume noAuth: true'
  const nobody: readonly (readonly [title: string, options: Pick<ServeOptions, 'users' | 'volumes'>, reason: string])[] = [
    ['no user at all', { users: {}, volumes: { a: { device } } }, 'no user is named'],
    [
      'passwords that are too short',
      { users: { alice: 'secret' }, volumes: { a: '1MiB' } },
      '"alice" has a password of fewer than 12 characters, which iSCSI does not take',
    ],
    ['a user who is not there', { users, volumes: { a: { device, users: ['bob'] } } }, 'there is no user "bob"'],
    ['an empty list', { users, volumes: { a: { device, users: [] } } }, 'no user is named'],
  ]
  for (const [title, options, reason] of nobody) {
    test(`nobody who could log in: ${title}`, () =>
      assert.rejects(serve({ ...options, iscsi }), { name: 'ConfigError', message: `volumes.a: nobody can log in: ${reason}; ${remedy}` }))
  }

  test('a user with whose password the server cannot prove itself', async () => {
    const volumes = { a: { device } }
    await assert.rejects(serve({ volumes, users, iscsi, mutualChap: 'server' }), {
      name: 'ConfigError',
      message: 'mutualChap: there is no user "server"; add one to users',
    })
    await assert.rejects(serve({ volumes, users: { ...users, server: 'short' }, iscsi, mutualChap: 'server' }), {
      message: 'mutualChap: "server" has a password of fewer than 12 characters, which iSCSI does not take; give it one of 12 or more',
    })
  })

  test('nothing to serve, threads that an object cannot be in, an address that is none', async () => {
    await assert.rejects(serve({ users }), { name: 'ConfigError', message: 'there is nothing to serve; give shares, or volumes' })
    await assert.rejects(serve({ volumes: { a: { device } }, users, inThread: false }), {
      message: /^inThread: false is not allowed: the device of the volume a /,
    })
    await assert.rejects(serve({ volumes: { a: { device } }, users, iscsi: 'x:y' }), { message: /^iscsi: "x:y" is not allowed/ })
  })
})
