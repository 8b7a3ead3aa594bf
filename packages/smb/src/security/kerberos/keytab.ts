import { MalformedError } from '@holdfast/wire'

/** A key of a keytab, without the key. */
export interface KeytabEntry {
  /** `cifs/server.example.com@EXAMPLE.COM` */
  readonly principal: string
  /** Key version number. */
  readonly version: number
  /** Number of the encryption type (RFC 3961 8): 18 is AES-256 with SHA-1. */
  readonly encryptionType: number
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  take(lengthBytes: number): Buffer {
    if (lengthBytes > this.left) throw new MalformedError('keytab_short')
    this.#at += lengthBytes
    return this.#bytes.subarray(this.#at - lengthBytes, this.#at)
  }

  number(lengthBytes: number): number {
    return this.take(lengthBytes).readUIntBE(0, lengthBytes)
  }

  text(): string {
    return this.take(this.number(2)).toString('utf8')
  }
}

/** What keys there are in a keytab (MIT's format, version 2). Throws MalformedError `keytab_version`, `keytab_short`. */
export function decodeKeytab(bytes: Buffer): KeytabEntry[] {
  const file = new Reader(bytes)
  if (file.left < 2 || file.number(2) !== 0x0502) throw new MalformedError('keytab_version')
  const entries: KeytabEntry[] = []
  while (file.left >= 4) {
    const lengthBytes = file.take(4).readInt32BE()
    if (lengthBytes === 0) break
    const content = file.take(Math.abs(lengthBytes))
    // A negative length: an entry that was removed.
    if (lengthBytes > 0) entries.push(decodeEntry(new Reader(content)))
  }
  return entries
}

function decodeEntry(entry: Reader): KeytabEntry {
  const componentCount = entry.number(2)
  const realm = entry.text()
  const components: string[] = []
  for (let index = 0; index < componentCount; index++) components.push(entry.text())
  // Name type and time.
  entry.take(8)
  const shortVersion = entry.number(1)
  const encryptionType = entry.number(2)
  entry.take(entry.number(2))
  // Since the version outgrew its byte it follows in four more.
  const version = entry.left >= 4 ? entry.number(4) : 0
  return { principal: `${components.join('/')}@${realm}`, version: version === 0 ? shortVersion : version, encryptionType }
}
