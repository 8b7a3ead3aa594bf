/** Sense data (SPC-4 4.5): made from a `CheckCondition`, in fixed or descriptor format, and read. */
import { MalformedError } from '@holdfast/wire'
import { AdditionalSense, SenseKey } from './additional-sense.ts'
import type { AdditionalSenseName, SenseKeyName } from './additional-sense.ts'

/** Where the error is (SPC-4 4.5.2.4.2): byte, and bit where it is a field of less than a byte. */
export interface FieldPointer {
  /** `cdb`, or the parameter list. */
  readonly in: 'cdb' | 'parameters'
  readonly byte: number
  /** The most significant bit of the field. */
  readonly bit?: number
}

/** Which byte of a segment descriptor, or of what was copied, it is about (SPC-4 4.5.2.4.5). */
export interface SegmentPointer {
  /** True: the byte is counted from the beginning of the segment descriptor; else from that of the parameter list. */
  readonly inDescriptor: boolean
  readonly byte: number
  readonly bit?: number
}

/** What sense data can say besides key and code. */
export interface SenseDetails {
  /** INFORMATION: an LBA, or a byte of the data-out buffer. */
  readonly information?: number | undefined
  readonly commandSpecific?: number | undefined
  readonly field?: FieldPointer | undefined
  readonly segment?: SegmentPointer | undefined
  /** Of 65,536ths. */
  readonly progress?: number | undefined
  /** More descriptors, as bytes: what fixed format cannot say. */
  readonly descriptors?: Buffer | undefined
}

/** Sense data, decoded. */
export interface Sense extends SenseDetails {
  readonly key: number
  /** ASC and ASCQ as one number: `AdditionalSense`. */
  readonly code: number
  readonly isDeferred: boolean
}

/**
 * Ends a command with CHECK CONDITION. Thrown by commands.
 *
 * @example
 * const condition = new CheckCondition('ILLEGAL REQUEST', 'LOGICAL BLOCK ADDRESS OUT OF RANGE', { information: 4711 })
 * condition.message // => 'ILLEGAL REQUEST: LOGICAL BLOCK ADDRESS OUT OF RANGE'
 * decodeSense(encodeSense(condition, true)).information // => 4711
 */
export class CheckCondition extends Error {
  readonly senseKey: SenseKeyName
  readonly additionalSense: AdditionalSenseName
  readonly details: SenseDetails
  constructor(senseKey: SenseKeyName, additionalSense: AdditionalSenseName, details: SenseDetails = {}) {
    super(`${senseKey}: ${additionalSense}`)
    this.name = 'CheckCondition'
    this.senseKey = senseKey
    this.additionalSense = additionalSense
    this.details = details
  }
}

/** ILLEGAL REQUEST, INVALID FIELD IN CDB, with the field. */
export const invalidFieldInCdb = (byte: number, bit?: number): CheckCondition =>
  new CheckCondition('ILLEGAL REQUEST', 'INVALID FIELD IN CDB', { field: { in: 'cdb', byte, ...(bit === undefined ? {} : { bit }) } })

/** ILLEGAL REQUEST, INVALID FIELD IN PARAMETER LIST, with the field. */
export const invalidFieldInParameterList = (byte: number, bit?: number): CheckCondition =>
  new CheckCondition('ILLEGAL REQUEST', 'INVALID FIELD IN PARAMETER LIST', {
    field: { in: 'parameters', byte, ...(bit === undefined ? {} : { bit }) },
  })

/** Sense data of a condition, in the format that the unit's D_SENSE bit demands. */
export function encodeSense(condition: CheckCondition, isDescriptorFormat: boolean): Buffer {
  const { senseKey, additionalSense, details } = condition
  return senseData({ ...details, key: SenseKey[senseKey], code: AdditionalSense[additionalSense], isDeferred: false }, isDescriptorFormat)
}

/** Sense data of given values. */
export function senseData(sense: Sense, isDescriptorFormat: boolean): Buffer {
  return isDescriptorFormat ? descriptorFormat(sense) : fixedFormat(sense)
}

const fixedBytes = 18

/** SPC-4 4.5.3. INFORMATION has 32 bits: what does not fit is left out, with VALID zero. */
function fixedFormat(sense: Sense): Buffer {
  const result = Buffer.alloc(fixedBytes)
  const { information, commandSpecific } = sense
  const fits = information !== undefined && information <= 0xffffffff
  result[0] = (sense.isDeferred ? 0x71 : 0x70) | (fits ? 0x80 : 0)
  result[2] = sense.key
  if (fits) result.writeUInt32BE(information, 3)
  result[7] = fixedBytes - 8
  if (commandSpecific !== undefined && commandSpecific <= 0xffffffff) result.writeUInt32BE(commandSpecific, 8)
  result.writeUInt16BE(sense.code, 12)
  senseKeySpecific(sense)?.copy(result, 15)
  return result
}

/** SPC-4 4.5.2. */
function descriptorFormat(sense: Sense): Buffer {
  const header = Buffer.from([sense.isDeferred ? 0x73 : 0x72, sense.key, sense.code >> 8, sense.code & 0xff, 0, 0, 0, 0])
  const parts: Buffer[] = [header]
  if (sense.information !== undefined) parts.push(longDescriptor(0x00, sense.information))
  if (sense.commandSpecific !== undefined) parts.push(longDescriptor(0x01, sense.commandSpecific))
  const specific = senseKeySpecific(sense)
  if (specific !== undefined) parts.push(Buffer.concat([Buffer.from([0x02, 0x06, 0, 0]), specific, Buffer.alloc(1)]))
  if (sense.descriptors !== undefined) parts.push(sense.descriptors)
  const result = Buffer.concat(parts)
  result[7] = result.length - header.length
  return result
}

/** Information (4.5.2.2) and command-specific information (4.5.2.3): alike but for VALID, which only the first has. */
function longDescriptor(type: number, value: number): Buffer {
  const result = Buffer.alloc(12)
  result[0] = type
  result[1] = 0x0a
  if (type === 0x00) result[2] = 0x80
  result.writeBigUInt64BE(BigInt(value), 4)
  return result
}

/** SPC-4 4.5.2.4: three bytes, with SKSV. */
function senseKeySpecific({ field, segment, progress }: SenseDetails): Buffer | undefined {
  if (field !== undefined) return pointer(field, field.in === 'cdb' ? 0xc0 : 0x80)
  if (segment !== undefined) return pointer(segment, segment.inDescriptor ? 0xa0 : 0x80)
  return progress === undefined ? undefined : Buffer.from([0x80, progress >> 8, progress & 0xff])
}

/** The byte's number, and with BPV that of the bit. */
function pointer({ byte, bit }: { readonly byte: number; readonly bit?: number }, flags: number): Buffer {
  return Buffer.from([flags | (bit === undefined ? 0 : 0x08 | bit), byte >> 8, byte & 0xff])
}

/** Reads sense data of either format. Throws MalformedError with code `sense`. */
export function decodeSense(bytes: Buffer): Sense {
  const responseCode = (bytes[0] ?? 0) & 0x7f
  const isDeferred = (responseCode & 1) === 1
  if (responseCode === 0x70 || responseCode === 0x71) return decodeFixed(bytes, isDeferred)
  if (responseCode === 0x72 || responseCode === 0x73) return decodeDescriptors(bytes, isDeferred)
  throw new MalformedError('sense', `sense data with response code ${responseCode}`)
}

function decodeFixed(bytes: Buffer, isDeferred: boolean): Sense {
  if (bytes.length < 8) throw new MalformedError('sense', `${bytes.length} bytes of sense data`)
  const key = bytes[2] & 0x0f
  const end = Math.min(bytes.length, 8 + bytes[7])
  const commandSpecific = end >= 12 ? bytes.readUInt32BE(8) : 0
  return {
    key,
    code: end >= 14 ? bytes.readUInt16BE(12) : end === 13 ? bytes[12] << 8 : 0,
    isDeferred,
    ...(bytes[0] >= 0x80 ? { information: bytes.readUInt32BE(3) } : {}),
    ...(commandSpecific > 0 ? { commandSpecific } : {}),
    ...(end >= 18 ? decodeSpecific(key, bytes.subarray(15, 18)) : {}),
  }
}

function decodeDescriptors(bytes: Buffer, isDeferred: boolean): Sense {
  if (bytes.length < 8) throw new MalformedError('sense', `${bytes.length} bytes of sense data`)
  const key = bytes[1] & 0x0f
  const details: { -readonly [Name in keyof SenseDetails]: SenseDetails[Name] } = {}
  const end = Math.min(bytes.length, 8 + bytes[7])
  const others: Buffer[] = []
  for (let at = 8; at + 2 <= end;) {
    const descriptor = bytes.subarray(at, Math.min(end, at + 2 + bytes[at + 1]))
    at += 2 + bytes[at + 1]
    if (descriptor[0] === 0x00 && descriptor.length >= 12 && descriptor[2] >= 0x80) details.information = Number(descriptor.readBigUInt64BE(4))
    else if (descriptor[0] === 0x01 && descriptor.length >= 12) details.commandSpecific = Number(descriptor.readBigUInt64BE(4))
    else if (descriptor[0] === 0x02 && descriptor.length >= 8) Object.assign(details, decodeSpecific(key, descriptor.subarray(4, 7)))
    else others.push(descriptor)
  }
  if (others.length > 0) details.descriptors = Buffer.concat(others)
  return { ...details, key, code: bytes.readUInt16BE(2), isDeferred }
}

/** What the three bytes mean depends on the sense key (SPC-4 table 'sense key specific field definitions'). */
function decodeSpecific(key: number, bytes: Buffer): SenseDetails {
  if (bytes[0] < 0x80) return {}
  const value = bytes.readUInt16BE(1)
  const bit = (bytes[0] & 0x08) === 0 ? {} : { bit: bytes[0] & 0x07 }
  if (key === SenseKey['ILLEGAL REQUEST']) return { field: { in: (bytes[0] & 0x40) === 0 ? 'parameters' : 'cdb', byte: value, ...bit } }
  if (key === SenseKey['COPY ABORTED']) return { segment: { inDescriptor: (bytes[0] & 0x20) !== 0, byte: value, ...bit } }
  return key === SenseKey['NO SENSE'] || key === SenseKey['NOT READY'] ? { progress: value } : {}
}

const codeNames = new Map<number, AdditionalSenseName>(
  Object.entries(AdditionalSense).map(([name, code]) => [code, name as AdditionalSenseName]), // the table's own names
)
const keyNames = new Map<number, SenseKeyName>(Object.entries(SenseKey).map(([name, key]) => [key, name as SenseKeyName])) // likewise

/** `ILLEGAL REQUEST: INVALID FIELD IN CDB`; numbers for what has no name here. */
export function describeSense({ key, code }: Sense): string {
  const number = (value: number, digits: number): string => `${value.toString(16).padStart(digits, '0')}h`
  return `${keyNames.get(key) ?? number(key, 1)}: ${codeNames.get(code) ?? `${number(code >> 8, 2)}/${number(code & 0xff, 2)}`}`
}
