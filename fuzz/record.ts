/**
 * Records what a real client and a server say to each other, for `fuzz/corpus/`.
 *
 *     node fuzz/record.ts --target HOST:PORT --out fuzz/corpus/NAME.bin -- COMMAND ARG...
 *
 * Starts a proxy before the target and the command with every `{PORT}` in its arguments replaced by the proxy's port. Of what the
 * server says only the answers that carry ids are kept; the rest is of no use to a replay.
 */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { spawn } from 'node:child_process'
import { FrameCutter } from '../testing/peers/frames.ts'
import { parseOptions } from '../testing/run/options.ts'
import { encodeRecord } from './capture.ts'

const { values: options, positionals: command } = parseOptions(import.meta.url, {
  allowPositionals: true,
  options: { target: { type: 'string', default: '127.0.0.1:445' }, out: { type: 'string' }, 'limit-bytes': { type: 'string', default: '65536' } },
})
const [host = '', port = ''] = options.target.split(':')
const limitBytes = Number(options['limit-bytes'])
const records: Buffer[] = []
let recorded = 0
let connections = 0

/** NEGOTIATE, SESSION_SETUP, TREE_CONNECT and CREATE (MS-SMB2 2.2.1.2): their answers hold the ids that later requests name. */
const commandsWithIds = new Set([0, 1, 3, 5])

function isWorthKeeping(fromClient: boolean, frame: Buffer): boolean {
  if (recorded + frame.length > limitBytes) return false
  return fromClient || (frame.length >= 68 && frame[4] === 0xfe && commandsWithIds.has(frame.readUInt16LE(4 + 12)))
}

function relay(from: Socket, to: Socket, connection: number, fromClient: boolean): void {
  const cutter = new FrameCutter()
  from.on('data', (chunk: Buffer) => {
    for (const frame of cutter.push(chunk)) {
      if (!isWorthKeeping(fromClient, frame)) continue
      recorded += frame.length
      records.push(encodeRecord({ fromClient, connection, frame }))
    }
    to.write(chunk)
  })
  from.on('error', () => to.destroy())
  from.on('close', () => to.destroy())
}

const proxy = createServer(client => {
  const connection = connections++
  const server = connect(Number(port), host)
  relay(client, server, connection, true)
  relay(server, client, connection, false)
}).listen(0, '127.0.0.1')
await once(proxy, 'listening')
const proxyPort = String((proxy.address() as AddressInfo).port)
const [program = 'true', ...args] = command.map(word => word.replaceAll('{PORT}', proxyPort))
const child = spawn(program, args, { stdio: 'inherit' })
await once(child, 'exit')
proxy.close()
if (options.out !== undefined) writeFileSync(options.out, Buffer.concat(records))
console.log(`${connections} connections, ${records.length} messages, ${recorded} bytes`)
process.exit(0)
