/** The client's side of Kerberos, of MIT's library: for tokens that no honest client sends twice, late, or to somebody else. */
import { createRequire } from 'node:module'
import type koffiModule from 'koffi'
import type { Authenticated, Mechanism, MechanismEntry, MechanismStep } from '@holdfast/smb/security'

const kerberosOid = Buffer.from('2a864886f712010202', 'hex')
/** GSS_C_NT_HOSTBASED_SERVICE, GSS_C_INQ_SSPI_SESSION_KEY. */
const hostBasedOid = Buffer.from('2a864886f71201020104', 'hex')
const sessionKeyOid = Buffer.from('2a864886f7120102020505', 'hex')
/** GSS_C_MUTUAL_FLAG, GSS_C_REPLAY_FLAG, GSS_C_SEQUENCE_FLAG, GSS_C_INTEG_FLAG. */
const flags = 2 | 4 | 8 | 32

type Call = (...values: unknown[]) => number

const load = () => {
  const koffi = createRequire(import.meta.url)('koffi') as typeof koffiModule
  const library = koffi.load('libgssapi_krb5.so.2')
  const bind = (name: string, parameters: string) => library.func(`uint32_t gss_${name}(${parameters})`) as unknown as Call
  return {
    address: (bytes: Buffer): bigint => koffi.address(bytes),
    copy(from: bigint, lengthBytes: number): Buffer {
      return Buffer.from(new Uint8Array(koffi.view(from, lengthBytes)))
    },
    importName: bind('import_name', 'void *, void *, void *, void *'),
    initSecContext: bind(
      'init_sec_context',
      'void *, void *, void *, void *, void *, uint32_t, uint32_t, void *, void *, void *, void *, void *, void *',
    ),
    inquire: bind('inquire_sec_context_by_oid', 'void *, void *, void *, void *'),
    getMic: bind('get_mic', 'void *, void *, uint32_t, void *, void *'),
    verifyMic: bind('verify_mic', 'void *, void *, void *, void *, void *'),
  }
}

type Library = ReturnType<typeof load>
let loaded: Library | undefined

/** A length and where the bytes are; `bytes` must outlive it. */
function descriptor(library: Library, bytes: Buffer): Buffer {
  const structure = Buffer.alloc(16)
  structure.writeBigUInt64LE(BigInt(bytes.length), 0)
  structure.writeBigUInt64LE(bytes.length === 0 ? 0n : library.address(bytes), 8)
  return structure
}

const bytesOf = (library: Library, structure: Buffer): Buffer =>
  structure.readBigUInt64LE(8) === 0n ? Buffer.alloc(0) : library.copy(structure.readBigUInt64LE(8), Number(structure.readBigUInt64LE(0)))

/**
 * Kerberos as an entry of `SpnegoClient`'s table: asks for a ticket of `service` (`cifs@NAME`), with the tickets that KRB5CCNAME of this process
 * names. What it allocates stays until the test is over.
 */
export function kerberosInitiator(service: string, oid = '1.2.840.113554.1.2.2'): MechanismEntry {
  return { oid, create: () => new Initiator((loaded ??= load()), service) }
}

class Initiator implements Mechanism {
  readonly #library: Library
  readonly #service: Buffer
  readonly #context = Buffer.alloc(8)

  constructor(library: Library, service: string) {
    this.#library = library
    this.#service = Buffer.from(service)
  }

  step(token: Buffer): MechanismStep {
    const library = this.#library
    const [minor, name, output] = [Buffer.alloc(4), Buffer.alloc(8), Buffer.alloc(16)]
    // gss_OID_desc: a length of 32 bits, and the pointer at the same place as in a buffer.
    const nameStatus = library.importName(minor, descriptor(library, this.#service), descriptor(library, hostBasedOid), name)
    if (nameStatus !== 0) throw new Error(`gss_import_name: ${nameStatus}`)
    const status = library.initSecContext(
      minor,
      null,
      this.#context,
      name.readBigUInt64LE(),
      descriptor(library, kerberosOid),
      flags,
      0,
      null,
      token.length === 0 ? null : descriptor(library, token),
      null,
      output,
      null,
      null,
    )
    if (status > 1) throw new Error(`gss_init_sec_context: ${status.toString(16)}, ${minor.readInt32LE()}`)
    const bytes = bytesOf(library, output)
    if (status === 1) return { done: false, output: bytes }
    const context = this.#context.readBigUInt64LE()
    return {
      done: true,
      output: bytes,
      authenticated: this.#authenticated(context),
      integrity: {
        getMic: message => {
          const mic = Buffer.alloc(16)
          library.getMic(Buffer.alloc(4), context, 0, descriptor(library, message), mic)
          return bytesOf(library, mic)
        },
        verifyMic: (message, mic) => library.verifyMic(Buffer.alloc(4), context, descriptor(library, message), descriptor(library, mic), null) === 0,
      },
    }
  }

  #authenticated(context: bigint): Authenticated {
    const library = this.#library
    const set = Buffer.alloc(8)
    library.inquire(Buffer.alloc(4), context, descriptor(library, sessionKeyOid), set)
    const elements = library.copy(set.readBigUInt64LE(), 16).readBigUInt64LE(8)
    const sessionKey = bytesOf(library, library.copy(elements, 16))
    return { user: '', domain: '', workstation: '', anonymous: false, sessionKey }
  }
}
