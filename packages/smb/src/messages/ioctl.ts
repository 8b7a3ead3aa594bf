/** IOCTL (MS-SMB2 2.2.31, 2.2.32). Codes are in fsctl.ts, what they carry in fsctl-*.ts and reparse.ts. */
import { data, emptyBytes, fixed, lengthOf, offsetOf, reserved, struct, u16, u32, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { IoctlFlags } from './constants.ts'
import { FileId } from './file-id.ts'
import { body, oddBody } from './header.ts'

/** IOCTL request (2.2.31). */
export const IoctlRequest = struct(
  'SMB2 IOCTL request',
  {
    structureSize: fixed(u16, 57),
    reserved: reserved(u16),
    /** `Fsctl`. */
    ctlCode: u32,
    fileId: FileId,
    inputOffset: offsetOf('input', u32),
    inputCount: lengthOf('input', u32),
    maxInputResponse: withDefault(u32, 0),
    outputOffset: offsetOf('output', u32),
    outputCount: lengthOf('output', u32),
    maxOutputResponse: u32,
    /** `IoctlFlags`. */
    flags: withDefault(u32, IoctlFlags.isFsctl),
    reserved2: reserved(u32),
    input: withDefault(data({ align: 8 }), emptyBytes),
    output: withDefault(data({ align: 8, emptyOffset: 'zero' }), emptyBytes),
  },
  oddBody,
)
export type IoctlRequest = Infer<typeof IoctlRequest>

/** IOCTL response (2.2.32). */
export const IoctlResponse = struct(
  'SMB2 IOCTL response',
  {
    structureSize: fixed(u16, 49),
    reserved: reserved(u16),
    /** `Fsctl`. */
    ctlCode: u32,
    fileId: FileId,
    inputOffset: offsetOf('input', u32),
    inputCount: lengthOf('input', u32),
    outputOffset: offsetOf('output', u32),
    outputCount: lengthOf('output', u32),
    flags: withDefault(u32, 0),
    reserved2: reserved(u32),
    input: withDefault(data({ align: 8 }), emptyBytes),
    output: data({ align: 8 }),
  },
  body,
)
export type IoctlResponse = Infer<typeof IoctlResponse>
