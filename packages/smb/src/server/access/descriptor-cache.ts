/** Decoded descriptors by their bytes: most files of a share have one of a few descriptors, and an open should not decode it anew. */
import { decodeSecurityDescriptor, type SecurityDescriptor } from '../../messages/security-descriptor.ts'

/** Bounded; the oldest goes first. Descriptors longer than `longestBytes` are decoded each time. */
export class DescriptorCache {
  readonly #decoded = new Map<string, SecurityDescriptor>()
  readonly #capacity: number
  readonly #longestBytes: number

  constructor(options: { readonly capacity?: number; readonly longestBytes?: number } = {}) {
    this.#capacity = options.capacity ?? 1024
    this.#longestBytes = options.longestBytes ?? 2048
  }

  /** Decodes stored bytes. Throws `MalformedError` where they are no self-relative descriptor. */
  decode(bytes: Uint8Array): SecurityDescriptor {
    if (bytes.length > this.#longestBytes) return decodeSecurityDescriptor(bytes)
    const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
    const known = this.#decoded.get(key)
    if (known !== undefined) return known
    // Opaque parts of ACEs are views: keep a copy of our own below them.
    const descriptor = decodeSecurityDescriptor(Buffer.from(key, 'latin1'))
    if (this.#decoded.size >= this.#capacity) {
      const [oldest] = this.#decoded.keys()
      this.#decoded.delete(oldest)
    }
    this.#decoded.set(key, descriptor)
    return descriptor
  }
}
