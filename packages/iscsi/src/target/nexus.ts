import { initiatorPortName, targetPortName } from '../pdu/index.ts'
import type { Nexus } from '../scsi/index.ts'

const iscsiProtocol = 0x05
/** TransportID format 01b: an iSCSI initiator port, with its ISID (SPC-4 7.6.4.6). */
const portFormat = 0x40

/** The nexus of a session (RFC 7143 4.2.8). All portals of a group are one target port. */
export function nexusOf(of: { initiatorName: string; isid: Buffer; targetName: string; portalGroupTag: number }): Nexus {
  const initiatorPort = initiatorPortName(of.initiatorName, of.isid)
  const targetPort = targetPortName(of.targetName, of.portalGroupTag)
  return {
    initiatorPort,
    initiatorName: of.initiatorName,
    targetPort,
    relativeTargetPort: of.portalGroupTag,
    transportId: transportIdOf(initiatorPort),
    key: `${initiatorPort} ${targetPort}`,
  }
}

/** Names end with a zero, and are filled to a multiple of four, 20 bytes at least. */
function transportIdOf(initiatorPort: string): Buffer {
  const nameBytes = Math.max(20, (Buffer.byteLength(initiatorPort) + 4) & ~3)
  const id = Buffer.alloc(4 + nameBytes)
  id[0] = portFormat | iscsiProtocol
  id.writeUInt16BE(nameBytes, 2)
  id.write(initiatorPort, 4)
  return id
}
