import type { Framing } from '@holdfast/engine'
import { pduLengthBytes } from '../pdu/index.ts'
import type { Digests } from '../pdu/index.ts'

/** Digests as a variant of the framing: bit 0 header, bit 1 data. */
const byVariant: readonly Digests[] = [0, 1, 2, 3].map(variant => ({ header: (variant & 1) !== 0, data: (variant & 2) !== 0 }))

/** The variant for a connection with these digests. */
export const framingVariant = ({ header, data }: Digests): number => Number(header) + 2 * Number(data)

/** How the connection manager cuts iSCSI PDUs (RFC 7143 11.2). They are delivered whole, header and digests included. */
export const iscsiFraming: Framing = {
  headerBytes: 0,
  leadBytes: 8,
  frameBytes: (bytes, at, _end, variant = 0) => pduLengthBytes(bytes, at, byVariant[variant]),
  writeHeader() {},
}
