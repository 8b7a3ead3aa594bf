/** FSCTL_VALIDATE_NEGOTIATE_INFO (MS-SMB2 2.2.31.4, 2.2.32.6, 3.3.5.15.12): shows a 3.0 client that nobody changed its NEGOTIATE. */
import { guid } from '@holdfast/wire'
import { Command } from '../../messages/constants.ts'
import { headerSize } from '../../messages/header.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import type { Outcome } from './handler-api.ts'
import { chooseDialect } from './negotiate.ts'
import type { SmbRequest } from './request.ts'

const fsctlValidateNegotiateInfo = 0x00140204
/** Offsets in the IOCTL request's body (2.2.31). */
const request_ = { ctlCode: 4, inputOffset: 24, inputCount: 28, maxOutputResponse: 44 } as const
const responseFixedLength = 48
const outputLength = 24

/** True for an IOCTL with this control code. */
export const isValidateNegotiate = (request: SmbRequest): boolean =>
  request.command === Command.ioctl &&
  request.message.length >= headerSize + 8 &&
  request.message.readUInt32LE(headerSize + request_.ctlCode) === fsctlValidateNegotiateInfo

export function validateNegotiate(request: SmbRequest): Outcome {
  const { connection, message } = request
  // It must not be there in 3.1.1, whose integrity is shown by the hash.
  if (connection.dialect >= 0x0311) return refuse(request, 'FSCTL_VALIDATE_NEGOTIATE_INFO in 3.1.1')
  const at = message.readUInt32LE(headerSize + request_.inputOffset)
  const length = message.readUInt32LE(headerSize + request_.inputCount)
  if (length < 24 || at + length > message.length) return request.fail(NtStatus.INVALID_PARAMETER)
  const count = message.readUInt16LE(at + 22)
  if (length < 24 + 2 * count) return request.fail(NtStatus.INVALID_PARAMETER)
  if (message.readUInt32LE(headerSize + request_.maxOutputResponse) < outputLength) return request.fail(NtStatus.INVALID_PARAMETER)
  const dialects = Array.from({ length: count }, (_, i) => message.readUInt16LE(at + 24 + 2 * i))
  const agrees =
    message.readUInt32LE(at) === connection.clientCapabilities &&
    message.subarray(at + 4, at + 20).equals(connection.clientGuidBytes) &&
    message.readUInt16LE(at + 20) === connection.clientSecurityMode &&
    chooseDialect(dialects, connection.server.settings) === connection.dialect
  if (!agrees) return refuse(request, 'the NEGOTIATE that arrived is not the one that was sent')
  const body = request.reserve(responseFixedLength + outputLength)
  body.fill(0)
  body.writeUInt16LE(49, 0)
  body.writeUInt32LE(fsctlValidateNegotiateInfo, 4)
  body.fill(0xff, 8, 24)
  const outputAt = headerSize + responseFixedLength
  body.writeUInt32LE(outputAt, 24)
  body.writeUInt32LE(outputAt, 32)
  body.writeUInt32LE(outputLength, 36)
  body.writeUInt32LE(connection.capabilities, responseFixedLength)
  guid.write(body, responseFixedLength + 4, connection.server.serverGuid)
  body.writeUInt16LE(connection.securityMode, responseFixedLength + 20)
  body.writeUInt16LE(connection.dialect, responseFixedLength + 22)
  return request.reply(responseFixedLength + outputLength)
}

/** (3.3.5.15.12) the connection is terminated; there is no answer. */
function refuse(request: SmbRequest, reason: string): Outcome {
  request.connection.close(reason)
  return request.fail(NtStatus.ACCESS_DENIED)
}
