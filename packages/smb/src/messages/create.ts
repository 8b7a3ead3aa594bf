/** CREATE (MS-SMB2 2.2.13, 2.2.14). What goes in its contexts is in create-contexts.ts. */
import { data, emptyBytes, filetime, fixed, lengthOf, offsetOf, reserved, struct, u16, u32, u64, u64n, u8, utf16, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { ImpersonationLevel } from './constants.ts'
import { FileId } from './file-id.ts'
import { body, oddBody } from './header.ts'

/** CREATE request (2.2.13). */
export const CreateRequest = struct(
  'SMB2 CREATE request',
  {
    structureSize: fixed(u16, 57),
    securityFlags: reserved(u8),
    /** `OplockLevel`. */
    requestedOplockLevel: withDefault(u8, 0),
    /** `ImpersonationLevel`. */
    impersonationLevel: withDefault(u32, ImpersonationLevel.impersonation),
    smbCreateFlags: reserved(u64),
    reserved: reserved(u64),
    desiredAccess: u32,
    /** `FileAttribute` bits for what is created. */
    fileAttributes: withDefault(u32, 0),
    /** `ShareAccess` bits. */
    shareAccess: u32,
    /** `CreateDisposition`. */
    createDisposition: u32,
    /** `CreateOptions` bits. */
    createOptions: withDefault(u32, 0),
    nameOffset: offsetOf('name', u16),
    nameLength: lengthOf('name', u16),
    createContextsOffset: offsetOf('createContexts', u32),
    createContextsLength: lengthOf('createContexts', u32),
    /** Relative to the share, separated by `\`, without leading one; empty for the share's root. */
    name: utf16(),
    /** See `CreateContexts`. */
    createContexts: withDefault(data({ align: 8, emptyOffset: 'zero' }), emptyBytes),
  },
  oddBody,
)
export type CreateRequest = Infer<typeof CreateRequest>

/** CREATE response (2.2.14). */
export const CreateResponse = struct(
  'SMB2 CREATE response',
  {
    structureSize: fixed(u16, 89),
    /** `OplockLevel`. */
    oplockLevel: u8,
    /** `CreateResponseFlags`. */
    flags: withDefault(u8, 0),
    /** `CreateAction`. */
    createAction: u32,
    creationTime: filetime,
    lastAccessTime: filetime,
    lastWriteTime: filetime,
    changeTime: filetime,
    allocationSize: u64n,
    endOfFile: u64n,
    fileAttributes: u32,
    reserved2: reserved(u32),
    fileId: FileId,
    createContextsOffset: offsetOf('createContexts', u32),
    createContextsLength: lengthOf('createContexts', u32),
    /** See `CreateContexts`. */
    createContexts: withDefault(data({ align: 8, emptyOffset: 'zero' }), emptyBytes),
  },
  body,
)
export type CreateResponse = Infer<typeof CreateResponse>
