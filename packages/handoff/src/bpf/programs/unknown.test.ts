import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { describe, test } from 'node:test'
import { TCX_NEXT } from '@holdfast/posix/bpf'
import { parseAddress } from '@holdfast/posix/network'
import { wrap } from '../../transform/encapsulation.ts'
import { familyOf } from '../../transform/families.ts'
import { newSegment, segmentHeaderBytesMax, setEnds, writeSegment } from '../../transform/segment.ts'
import { TcpFlag } from '../../transform/packet.ts'
import { DirectorEntry } from '../entries.ts'
import { programsUnavailable } from '../test-support/availability.ts'
import { Laboratory, ethernet, run } from '../test-support/laboratory.ts'
import { directorProgram } from './director.ts'

const skip = programsUnavailable()
const raisePort = 7002
const clientPort = 6

/** The stack's own connections are this machine's: no packet is sent, but the program looks for real sockets. */
describe("packets to the VIP without an entry, where the director's stack may know the connection", { skip }, () => {
  for (const host of ['127.0.0.1', '::1']) {
    test(`${host}: those of the stack pass, others go up to the agent, and none is answered with a RST`, async () => {
      await using server = await listening(host)
      const vipPort = (server.address() as AddressInfo).port
      const vip = parseAddress(host)
      using laboratory = new Laboratory(DirectorEntry.fixedSize)
      const program = laboratory.load(directorProgram({ vip, vipPort, raisePort, linkBytes: 14 }))
      const socket = connect(vipPort, host)
      const [[accepted]] = await Promise.all([once(server, 'connection'), once(socket, 'connect')])
      const send = (port: number, flags: number): 'passed' | 'raised' => {
        const packet = segment(vip, vipPort, port, flags)
        const { returned, frame } = run(program, ethernet(packet, familyOf(vip)))
        assert.equal(returned, TCX_NEXT)
        if (frame.subarray(14).equals(packet)) return 'passed'
        assert.deepEqual(frame.subarray(14), wrap(packet, { source: vip, destination: vip, sourcePort: port, destinationPort: raisePort }))
        return 'raised'
      }
      const own = socket.localPort ?? 0
      assert.equal(send(own, TcpFlag.ack), 'passed', 'an established connection')
      assert.equal(send(clientPort, TcpFlag.syn), 'passed', 'a new one')
      for (const flags of [TcpFlag.ack, TcpFlag.ack | TcpFlag.psh, TcpFlag.fin | TcpFlag.ack, TcpFlag.rst, TcpFlag.syn | TcpFlag.ack, 0]) {
        assert.equal(send(clientPort, flags), 'raised', `flags ${flags}`)
      }
      assert.equal(laboratory.totals().unknownPackets, 6)
      // The one that ends first waits for late packets (RFC 9293 3.6.1).
      accepted.destroySoon()
      socket.resume().end()
      await Promise.all([once(socket, 'close'), once(accepted, 'close')])
      assert.equal(send(own, TcpFlag.ack), 'passed', 'TIME-WAIT')
      server.close()
      await once(server, 'close')
      assert.equal(send(clientPort, TcpFlag.ack), 'raised', 'without a listener')
    })
  }
})

async function listening(host: string): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }).listen(0, host)
  await once(server, 'listening')
  return server
}

function segment(vip: Buffer, vipPort: number, port: number, flags: number): Buffer {
  const made = newSegment()
  setEnds(made, vip, port, vip, vipPort)
  made.flags = flags
  made.sequence = made.acknowledgement = 12_345
  const bytes = Buffer.alloc(segmentHeaderBytesMax)
  return Buffer.from(bytes.subarray(0, writeSegment(made, bytes)))
}
