/** What clients write to the named pipes of IPC$. */
import { createPipeServices, RpcPipe } from '@holdfast/rpc'
import { readCorpus } from '../capture.ts'
import type { Decoder } from '../decoders.ts'

/** Version 5.0 and a packet type: how each fragment of DCE/RPC begins (C706 12.6.3.1). */
const fragmentStart = Buffer.from([5, 0])
const headerBytes = 16

/** The fragments in recorded WRITE and IOCTL messages. */
function fragments(): Buffer[] {
  return readCorpus()
    .filter(({ name }) => name.startsWith('smbclient-list'))
    .flatMap(({ messages }) => messages.filter(({ fromClient }) => fromClient))
    .flatMap(({ bytes }) => {
      const at = bytes.indexOf(fragmentStart, 64)
      return at < 0 || at + headerBytes > bytes.length ? [] : [bytes.subarray(at, at + bytes.readUInt16LE(at + 8))]
    })
}

const seeds = fragments()
const bind = seeds[0] ?? Buffer.alloc(0)
const services = createPipeServices({
  serverName: 'FUZZ',
  comment: '',
  domainName: 'WORKGROUP',
  accountDomain: 'FUZZ',
  accountDomainSid: 'S-1-5-21-1-2-3',
  primaryDomain: 'WORKGROUP',
  shares: () => [{ name: 'docs', type: 0, comment: '', path: 'C:\\docs', currentUses: 0 }],
  accountBySid: () => undefined,
  accountByName: () => undefined,
})
const pipe = (name: string): RpcPipe =>
  new RpcPipe({ services: services.get(name) ?? [], context: { user: { name: 'fuzz', domain: 'FUZZ', sid: 'S-1-5-21-1-2-3-1000', isAdmin: true } } })

/** By name. */
export const decoders: Readonly<Record<string, { readonly decode: Decoder; readonly seeds: readonly Buffer[] }>> = Object.fromEntries(
  ['srvsvc', 'lsarpc'].flatMap(name => [
    [`${name}, first fragment`, { decode: (bytes: Buffer) => pipe(name).transceive(bytes, 4280), seeds }],
    [
      `${name}, after a bind`,
      {
        async decode(bytes: Buffer) {
          const bound = pipe(name)
          await bound.transceive(bind, 4280)
          return bound.transceive(bytes, 4280)
        },
        seeds,
      },
    ],
  ]),
)
