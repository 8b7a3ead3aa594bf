/** Mode pages that an initiator saves, and a server that is killed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IscsiSession, lunField } from '@holdfast/iscsi/initiator'
import { Status } from '@holdfast/iscsi/scsi'
import { temporaryFolder } from './folder.ts'
import { startServer } from './server.ts'
import type { Server } from './server.ts'

/** Of the caching page (SBC-4 6.5.5). */
const WCE = 0x04
const SWP = 0x08
const current = 0
const saved = 3

class Initiator implements AsyncDisposable {
  readonly #session: IscsiSession

  private constructor(session: IscsiSession) {
    this.#session = session
  }

  static async of({ iscsi }: Server): Promise<Initiator> {
    const initiator = new Initiator(await IscsiSession.connect({ ...iscsi, target: 'iqn.2026-11.io.holdfast:disk' }))
    await initiator.#session.execute({ lun: lunField(0), cdb: Buffer.alloc(6), isRepeatable: true }) // the unit attention of the beginning
    return initiator
  }

  /** A page of MODE SENSE (6). */
  async page(code: number, control: number): Promise<Buffer> {
    const dataIn = Buffer.alloc(255)
    const { status } = await this.#session.execute({
      lun: lunField(0),
      cdb: Buffer.from([0x1a, 0x08, (control << 6) | code, 0, 255, 0]),
      dataIn,
      isRepeatable: true,
    })
    assert.equal(status, Status.good)
    return dataIn.subarray(4, 6 + dataIn[5])
  }

  /** MODE SELECT (6) of a page, with bits of a byte turned. */
  async turn(code: number, at: number, mask: number, { saves }: { readonly saves: boolean }): Promise<void> {
    const page = Buffer.from(await this.page(code, current))
    page[0] &= 0x7f
    page[at] ^= mask
    const dataOut = Buffer.concat([Buffer.alloc(4), page])
    const cdb = Buffer.from([0x15, saves ? 0x11 : 0x10, 0, 0, dataOut.length, 0])
    const { status } = await this.#session.execute({ lun: lunField(0), cdb, dataOut, isRepeatable: false })
    assert.equal(status, Status.good)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.close().catch(() => undefined) // of a server that was killed
  }
}

test('a write cache that was switched off with SP is off after kill -9; what was not saved is as before (SPC-4 6.10)', async () => {
  await using folder = temporaryFolder('modes')
  const start = (): Promise<Server> =>
    startServer({ shares: {}, state: folder.at('state'), extra: ['--volume', 'disk=16MiB,no-auth', '--iscsi', '127.0.0.1:0'] })
  {
    await using server = await start()
    await using initiator = await Initiator.of(server)
    assert.equal((await initiator.page(0x08, current))[0], 0x88, 'PS: it can be saved')
    await initiator.turn(0x08, 2, WCE, { saves: true })
    await initiator.turn(0x0a, 4, SWP, { saves: false })
    await server.kill()
  }
  await using server = await start()
  await using initiator = await Initiator.of(server)
  assert.equal((await initiator.page(0x08, current))[2] & WCE, 0)
  assert.equal((await initiator.page(0x08, saved))[2] & WCE, 0)
  assert.equal((await initiator.page(0x0a, current))[4] & SWP, 0)
})
