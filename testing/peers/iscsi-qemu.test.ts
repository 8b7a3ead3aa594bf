/** QEMU's block layer (libiscsi below it) against the target: images go to volumes and come back, and patterns are what was written. */
import assert from 'node:assert/strict'
import { randomFillSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { mustRun, runCommand } from './command.ts'
import { temporaryFolder } from './folder.ts'
import type { TemporaryFolder } from './folder.ts'
import { missing } from './packages.ts'
import { alice, productMain, startServer } from './server.ts'
import type { Server } from './server.ts'

const MiB = 2 ** 20
const volumeBytes = 64 * MiB
const volumes = { disk512: 'disk512=64MiB', disk4096: 'disk4096=64MiB,block-size=4096', open: 'open=64MiB,no-auth' } as const
type VolumeName = keyof typeof volumes

/**
 * QEMU 7.2 asks a volume, before it reads 32 KiB or more of what it has not written itself, where the data ends that begins there: within
 * 0x7ffffe00 bytes, and is ended by an assertion of its own as that is no multiple of 4096.
 */
const pieceBytes: Readonly<Record<VolumeName, number>> = { disk512: MiB, disk4096: 16_384, open: MiB }

/** Commands of qemu-io that read a range and compare it. */
function reads(name: VolumeName, pattern: number, offset: number, lengthBytes: number): string[] {
  const piece = pieceBytes[name]
  return Array.from({ length: Math.ceil(lengthBytes / piece) }, (_, index) => {
    const from = index * piece
    return `read -P ${pattern} ${offset + from} ${Math.min(piece, lengthBytes - from)}`
  })
}

describe('QEMU with volumes over iSCSI', { skip: missing('qemu-img', 'qemu-block-extra') }, () => {
  let folder: TemporaryFolder
  let server: Server

  before(async () => {
    folder = temporaryFolder('qemu', { needBytes: 1024 * MiB })
    writeFileSync(folder.at('secret'), alice.password)
    const extra = [...Object.values(volumes).flatMap(volume => ['--volume', volume]), '--iscsi', '127.0.0.1:0']
    server = await startServer({ shares: {}, state: folder.at('state'), extra })
  })
  after(async () => {
    await server?.[Symbol.asyncDispose]()
    await folder?.[Symbol.asyncDispose]()
  })

  /** With CHAP, the secret in an object of its own, but where the volume asks for none. */
  const optionsOf = (name: VolumeName): string => {
    const { host, port } = server.iscsi
    const login = name === 'open' ? '' : `,user=${alice.user},password-secret=secret`
    return `driver=iscsi,transport=tcp,portal=${host}:${port},target=iqn.2026-11.io.holdfast:${name},lun=0${login}`
  }
  const secret = (): string[] => ['--object', `secret,id=secret,file=${folder.at('secret')}`]

  const convertTo = (file: string, name: VolumeName): Promise<string> =>
    mustRun('qemu-img', ['convert', ...secret(), '-n', '-f', 'raw', '-W', '--target-image-opts', file, optionsOf(name)])
  const convertFrom = (name: VolumeName, file: string): Promise<string> =>
    mustRun('qemu-img', ['convert', ...secret(), '--image-opts', '-O', 'raw', '-W', optionsOf(name), file])
  /** Runs commands of qemu-io, one after the other on one session; a pattern that is not there is a failure. */
  async function patterns(name: VolumeName, commands: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await runCommand('qemu-io', [
      ...secret(),
      '--image-opts',
      '-t',
      'none',
      '-d',
      'unmap',
      ...commands.flatMap(command => ['-c', command]),
      optionsOf(name),
    ])
    assert.ok(status === 0 && !/verification failed|error|failed/i.test(stdout + stderr), stdout + stderr)
    return stdout
  }
  const usedBytes = async (name: VolumeName): Promise<number> => {
    const shown = await mustRun(process.execPath, [productMain, 'volume', 'show', name, '--json', '--state', folder.at('state')])
    return (JSON.parse(shown) as { readonly usedBytes: number }).usedBytes
  }

  /** Random bytes with holes between them. */
  function image(file: string): Buffer {
    const bytes = Buffer.alloc(volumeBytes)
    for (let at = 0; at < volumeBytes; at += 8 * MiB) randomFillSync(bytes, at, 3 * MiB + at / 1024)
    writeFileSync(file, bytes)
    return bytes
  }

  for (const name of ['disk512', 'disk4096', 'open'] as const) {
    test(`qemu-img convert to ${volumes[name]} and from it`, async () => {
      const bytes = image(folder.at('source'))
      await convertTo(folder.at('source'), name)
      await convertFrom(name, folder.at('back'))
      assert.ok(readFileSync(folder.at('back')).equals(bytes))
      const compared = ['compare', ...secret(), '--image-opts', `driver=raw,file.driver=file,file.filename=${folder.at('source')}`, optionsOf(name)]
      assert.match(await mustRun('qemu-img', compared), /Images are identical/)
    })

    test(`qemu-io on ${volumes[name]}: patterns, zeros, discards, flushes`, async () => {
      const last = volumeBytes - 4096
      await patterns(name, [
        'write -P 0xa5 0 1M',
        'write -P 0x5a 1M 64k',
        'write -f -P 0x33 1114112 4k',
        'flush',
        ...reads(name, 0xa5, 0, MiB),
        ...reads(name, 0x5a, MiB, 65_536),
        ...reads(name, 0x33, 1_114_112, 4096),
        // Smaller than a physical block, and across two of them: QEMU reads before it writes where blocks are larger.
        'write -P 0x77 512 1024',
        'write -P 0x78 7680 1024',
        ...reads(name, 0xa5, 0, 512),
        ...reads(name, 0x77, 512, 1024),
        ...reads(name, 0xa5, 1536, 6144),
        ...reads(name, 0x78, 7680, 1024),
        ...reads(name, 0xa5, 8704, 4096),
        'write -z 65536 65536',
        ...reads(name, 0, 65_536, 65_536),
        'write -z -u 262144 131072',
        ...reads(name, 0, 262_144, 131_072),
        'discard 524288 262144',
        ...reads(name, 0, 524_288, 262_144),
        ...reads(name, 0xa5, 786_432, 262_144),
        'writev -P 0x11 4M 4k 64k 1M 512k',
        'readv -P 0x11 4M 512k 1M 64k 4k',
        `write -P 0x99 ${last} 4096`,
        ...reads(name, 0x99, last, 4096),
        'flush',
      ])
      // Another session sees what the first has left.
      await patterns(name, [...reads(name, 0x11, 4 * MiB, MiB), ...reads(name, 0x99, last, 4096), ...reads(name, 0, 524_288, 262_144)])
    })
  }

  test('qemu-io on one volume: many requests at a time', async () => {
    const requests = Array.from({ length: 64 }, (_, index) => ({ at: 16 * MiB + index * 65_536, pattern: index + 1 }))
    await patterns('disk512', [
      ...requests.map(({ at, pattern }) => `aio_write -P ${pattern} ${at} 65536`),
      'aio_flush',
      ...requests.map(({ at, pattern }) => `aio_read -P ${pattern} ${at} 65536`),
      'aio_flush',
    ])
  })

  test('qemu-img map tells what is stored and what is not', async () => {
    await patterns('open', ['discard 0 64M', 'write -P 1 8M 4M'])
    const map = JSON.parse(await mustRun('qemu-img', ['map', ...secret(), '--output=json', '--image-opts', optionsOf('open')])) as readonly {
      readonly start: number
      readonly length: number
      readonly data: boolean
    }[]
    assert.deepEqual(
      map.filter(({ data }) => data).map(({ start, length }) => ({ start, length })),
      [{ start: 8 * MiB, length: 4 * MiB }],
    )
  })

  test('what is discarded gives its space back', async () => {
    await patterns('disk512', ['write -P 1 0 32M', 'flush'])
    assert.ok((await usedBytes('disk512')) >= 32 * MiB)
    await patterns('disk512', ['discard 0 64M'])
    assert.equal(await usedBytes('disk512'), 0)
  })

  test('a wrong secret opens nothing', async () => {
    writeFileSync(folder.at('wrong'), 'Not-The-Secret-1')
    const { status, stderr } = await runCommand('qemu-img', [
      'info',
      '--object',
      `secret,id=secret,file=${folder.at('wrong')}`,
      '--image-opts',
      optionsOf('disk512'),
    ])
    assert.equal(status, 1)
    assert.match(stderr, /Authentication failure|login/i)
  })

  test('the server is still there', () => {
    assert.ok(server.isRunning, server.log.slice(-4000))
  })
})
