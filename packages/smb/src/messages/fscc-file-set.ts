/** THE table of file information classes that can be set: (InfoType FILE, class) -> what it needs and how it is decoded (MS-FSCC 2.4, MS-FSA 2.1.5.15). */
import { MalformedError, type Infer, type Struct } from '@holdfast/wire'
import { access } from './fscc-access-mask.ts'
import { FileClass } from './fscc-classes.ts'
import { decodeEaList } from './fscc-ea.ts'
import * as layouts from './fscc-file-info.ts'
import { NameInformation, RenameInformation, RenameInformationEx } from './fscc-names.ts'

/** An information class that can be set. */
export interface SetRow<Value> {
  readonly name: string
  /** All of these must be in the open's granted access, else ACCESS_DENIED. */
  readonly access: number
  /** Throws `MalformedError`: `INFO_LENGTH_MISMATCH` for a buffer that is too short, other codes for what is wrong in it. */
  decode(bytes: Buffer): Value
}

function row<S extends Struct<unknown, never>>(layout: S, granted: number): SetRow<Infer<S>> {
  return Object.freeze({
    name: layout.name,
    access: granted,
    decode(bytes: Buffer): Infer<S> {
      if (bytes.length < layout.fixedSize) throw new MalformedError('INFO_LENGTH_MISMATCH', `${layout.name} is too short`)
      return layout.decode(bytes) as Infer<S>
    },
  })
}

const { writeAttributes, writeData, writeEa } = access

/**
 * By information class. A class that is missing: STATUS_INVALID_INFO_CLASS, or NOT_SUPPORTED for those Windows knows.
 *
 *     const { deletePending } = fileSetRows[FileClass.disposition].decode(buffer)
 */
export const fileSetRows = Object.freeze({
  [FileClass.basic]: row(layouts.BasicInformation, writeAttributes),
  [FileClass.rename]: row(RenameInformation, access.delete),
  [FileClass.link]: row(RenameInformation, 0),
  [FileClass.disposition]: row(layouts.DispositionInformation, access.delete),
  [FileClass.position]: row(layouts.PositionInformation, 0),
  [FileClass.fullEa]: Object.freeze({ name: 'FileFullEaInformation', access: writeEa, decode: decodeEaList }),
  [FileClass.mode]: row(layouts.ModeInformation, 0),
  [FileClass.allocation]: row(layouts.AllocationInformation, writeData),
  [FileClass.endOfFile]: row(layouts.EndOfFileInformation, writeData),
  [FileClass.pipe]: row(layouts.PipeInformation, writeAttributes),
  [FileClass.pipeRemote]: row(layouts.PipeRemoteInformation, writeAttributes),
  [FileClass.validDataLength]: row(layouts.ValidDataLengthInformation, writeData),
  [FileClass.shortName]: row(NameInformation, access.delete),
  [FileClass.dispositionEx]: row(layouts.DispositionInformationEx, access.delete),
  [FileClass.renameEx]: row(RenameInformationEx, access.delete),
  [FileClass.caseSensitive]: row(layouts.CaseSensitiveInformation, writeAttributes),
  [FileClass.linkEx]: row(RenameInformationEx, 0),
})

/** A class that can be set. */
export type SettableFileClass = keyof typeof fileSetRows

/** Can this class be set? */
export function isSettable(fileClass: number): fileClass is SettableFileClass {
  return Object.hasOwn(fileSetRows, fileClass)
}
