/** What every codec offers, whether a table or written by hand around tables. */
export interface Codec<Out, In = Out> {
  /** As in the specification. */
  readonly name: string
  /** Reads at byte `at`; nothing at or behind `end` is looked at. Bytes in the value are views. Throws MalformedError. */
  decode(bytes: Buffer, at?: number, end?: number): Out
  /** Bytes that `encode` will write. */
  encodedLength(value: In): number
  /** Writes at byte `at`; returns where it ends. Throws UsageError (`no-room`, `too-large`). */
  encode(value: In, into: Buffer, at?: number): number
  /** Encodes into a buffer of its own. */
  toBytes(value: In): Buffer
}

/**
 * Completes a codec written by hand.
 *
 * @example
 * const Tag = codec<string>({
 *   name: 'Tag',
 *   decode: (bytes, at, end) => bytes.toString('latin1', at, end),
 *   encodedLength: value => value.length,
 *   encode: (value, into, at) => at + into.write(value, at, 'latin1'),
 * })
 * Tag.decode(Tag.toBytes('docs')) // => 'docs'
 */
export function codec<Out, In = Out>(own: {
  readonly name: string
  readonly decode: (bytes: Buffer, at: number, end: number) => Out
  readonly encodedLength: (value: In) => number
  readonly encode: (value: In, into: Buffer, at: number) => number
}): Codec<Out, In> {
  const { name, encodedLength } = own
  return Object.freeze({
    name,
    decode: (bytes: Buffer, at = 0, end: number = bytes.length) => own.decode(bytes, at, Math.min(end, bytes.length)),
    encodedLength,
    encode: (value: In, into: Buffer, at = 0) => own.encode(value, into, at),
    toBytes(value: In): Buffer {
      const bytes = Buffer.allocUnsafe(encodedLength(value))
      own.encode(value, bytes, 0)
      return bytes
    },
  })
}
