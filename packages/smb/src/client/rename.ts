/** Giving a file another path, exactly once (MS-FSCC 2.4.42). */
import { access, anyFileId, FileClass, InfoType, InternalInformation, NtStatus, RenameInformation } from '../messages/index.ts'
import type { CallOptions } from './connection.ts'
import { SmbError, statusError } from './errors.ts'
import { notThroughLinks, receiveInfo, withHandle } from './handle.ts'
import { friendlyPath } from './path.ts'
import { operations } from './requests.ts'
import type { Tree } from './tree.ts'

/** The number of a file on its disk; undefined where there is none. */
async function identityOf(tree: Tree, name: string, options: CallOptions): Promise<bigint | undefined> {
  const lengthBytes = InternalInformation.fixedSize
  const request = { name, desiredAccess: access.readAttributes, createOptions: notThroughLinks }
  const value = { infoType: InfoType.file, fileInfoClass: FileClass.internal, outputBufferLength: lengthBytes, fileId: anyFileId }
  const receive = receiveInfo(InternalInformation)
  try {
    return (await withHandle(tree, request, { operation: operations.queryInfo, value, receive }, options)).value.id
  } catch (error) {
    if (error instanceof SmbError && error.code === 'ENOENT') return undefined
    throw error
  }
}

class AlreadyDone extends Error {}

/**
 * Renames. Where a loss of the connection is repaired, the file's number is asked for before: by it one sees afterwards whether it was
 * done. Rejects with `OUTCOME_UNKNOWN` when the file is at neither path any more.
 */
export async function rename(
  tree: Tree,
  { from, to, replace }: { readonly from: string; readonly to: string; readonly replace: boolean },
  options: CallOptions,
): Promise<void> {
  const { link } = tree.session
  const path = friendlyPath(from)
  const id = link.reconnectMs > 0 ? await identityOf(tree, from, options) : 0n
  if (id === undefined) throw statusError(NtStatus.OBJECT_NAME_NOT_FOUND, 'CREATE', path)
  const onRepeat = async (cause: unknown): Promise<void> => {
    const unknown = new SmbError('OUTCOME_UNKNOWN', `the connection was lost, and it cannot be told whether '${path}' was renamed`, { path, cause })
    if (id === 0n) throw unknown
    if ((await identityOf(tree, from, options)) === id) return
    if ((await identityOf(tree, to, options)) === id) throw new AlreadyDone()
    throw unknown
  }
  const request = { name: from, desiredAccess: access.delete | access.readAttributes | access.synchronize, createOptions: notThroughLinks }
  const buffer = RenameInformation.toBytes({ replace, name: to })
  const value = { infoType: InfoType.file, fileInfoClass: FileClass.rename, fileId: anyFileId, buffer }
  try {
    await withHandle(tree, request, { operation: operations.setInfo, value }, { ...options, onRepeat })
  } catch (error) {
    if (!(error instanceof AlreadyDone)) throw error
  }
  // A server looks for an open that is to be had again under its name of now.
  for (const open of link.opens) if (open.tree === tree) open.name = renamed(open.name, from, to)
}

function renamed(name: string, from: string, to: string): string {
  const head = name.slice(0, from.length)
  const isIt = head.toLowerCase() === from.toLowerCase() && (name.length === from.length || name[from.length] === '\\')
  return isIt && friendlyPath(from) !== '' ? to + name.slice(from.length) : name
}
