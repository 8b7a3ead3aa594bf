/** FSCTL_QUERY_NETWORK_INTERFACE_INFO (MS-SMB2 3.3.5.15.11): where a client may open further channels. */
import { Dialect } from '../../../messages/constants.ts'
import { NetworkInterfaceInfo } from '../../../messages/fsctl-network.ts'
import { NtStatus } from '../../../messages/nt-status.ts'
import { StatusError } from '../../core/handler-api.ts'
import { needOutput } from './answer.ts'
import type { OpenlessIoctl } from './answer.ts'
import { NetworkInterfaces } from './network-interfaces.ts'

const known = new NetworkInterfaces()

export const queryNetworkInterfaces: OpenlessIoctl = async (request, asked) => {
  const { dialect, listeners } = request.connection
  if (dialect < Dialect.smb300) throw new StatusError(NtStatus.INVALID_DEVICE_REQUEST)
  const interfaces = await known.of(listeners)
  const output = Buffer.alloc(NetworkInterfaceInfo.encodedLength(interfaces))
  needOutput(asked, output.length, NtStatus.BUFFER_TOO_SMALL)
  NetworkInterfaceInfo.encode(interfaces, output, 0)
  return { output }
}
