/** What a stranger's login tokens reach: the acceptor of SPNEGO and NTLM, and the initiator, which reads a server's. */
import { ntHash, ntlmClientMechanism, ntlmMechanism, SpnegoClient, SpnegoServer } from '@holdfast/smb/security'
import { readCorpus } from '../capture.ts'
import type { Decoder } from '../decoders.ts'

const headerBytes = 64
const sessionSetup = 1

/** The tokens in recorded SESSION_SETUP messages: offset and length stand at 12 in a request, at 4 in an answer (MS-SMB2 2.2.5, 2.2.6). */
function tokens(fromClient: boolean): Buffer[] {
  const at = headerBytes + (fromClient ? 12 : 4)
  return readCorpus()
    .flatMap(({ messages }) => messages)
    .filter(message => message.fromClient === fromClient && message.bytes.length > at + 4 && message.bytes.readUInt16LE(12) === sessionSetup)
    .map(({ bytes }) => bytes.subarray(bytes.readUInt16LE(at), bytes.readUInt16LE(at) + bytes.readUInt16LE(at + 2)))
    .filter(token => token.length > 0)
}

const requests = tokens(true)
const answers = tokens(false)
const first = requests[0] ?? Buffer.alloc(0)
const server = (): SpnegoServer =>
  new SpnegoServer({ mechanisms: [ntlmMechanism({ netbiosName: 'FUZZ', lookup: () => ({ ntHash: ntHash('password') }) })] })
const client = (): SpnegoClient => new SpnegoClient({ mechanisms: [ntlmClientMechanism({ user: 'user', password: 'password' })] })

/** By name. */
export const decoders: Readonly<Record<string, { readonly decode: Decoder; readonly seeds: readonly Buffer[] }>> = {
  'SpnegoServer, first token': { decode: async bytes => server().step(bytes), seeds: requests },
  'SpnegoServer, second token': {
    async decode(bytes) {
      const negotiation = server()
      await negotiation.step(first)
      return negotiation.step(bytes)
    },
    seeds: requests,
  },
  'SpnegoClient, token of the NEGOTIATE answer': { decode: async bytes => client().step(bytes), seeds: answers },
  'SpnegoClient, second token': {
    async decode(bytes) {
      const negotiation = client()
      await negotiation.step(Buffer.alloc(0))
      return negotiation.step(bytes)
    },
    seeds: answers,
  },
}
