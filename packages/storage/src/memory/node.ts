import { extendedAttributesSize, fileAttribute, reparseTagSymlink, shownAttributes } from '../attributes.ts'
import type { ExtendedAttribute, FileInfo, FileTime } from '../filesystem.ts'
import { upcase } from '../upcase.ts'
import { SparseBytes, type Budget } from './bytes.ts'

/** What each file, folder or stream takes of the budget besides its bytes. */
export const nodeBytes = 512

/** A name in a folder. Handles refer to it, so they know where their file is after a rename. */
export interface Entry {
  name: string
  node: Node
  /** Undefined once the name is removed. */
  parent: Node | undefined
}

export interface Stream {
  name: string
  readonly bytes: SparseBytes
}

/** A file, folder or symbolic link, whatever names it has. */
export interface Node {
  readonly id: bigint
  readonly kind: 'file' | 'folder' | 'symlink'
  /** Stored ones (without DIRECTORY and NORMAL). */
  attributes: number
  createdAt: FileTime
  accessedAt: FileTime
  writtenAt: FileTime
  changedAt: FileTime
  links: number
  /** Open handles: what has no name is freed when the last is closed. */
  handles: number
  readonly data: SparseBytes
  readonly streams: Map<string, Stream>
  readonly extendedAttributes: Map<string, ExtendedAttribute>
  security: Uint8Array | undefined
  readonly target: string | undefined
  /** By upper-cased name. */
  readonly children: Map<string, Entry>
}

export const makeNode = (
  budget: Budget,
  parts: { readonly id: bigint; readonly kind: Node['kind']; readonly attributes: number; readonly now: FileTime; readonly target?: string },
): Node => {
  budget.take(nodeBytes)
  const { id, kind, attributes, now, target } = parts
  return {
    id,
    kind,
    attributes,
    target,
    createdAt: now,
    accessedAt: now,
    writtenAt: now,
    changedAt: now,
    links: 0,
    handles: 0,
    security: undefined,
    data: new SparseBytes(budget),
    streams: new Map(),
    extendedAttributes: new Map(),
    children: new Map(),
  }
}

/** Gives back a node's memory when no name and no handle is left. */
export const freeIfUnused = (budget: Budget, node: Node): void => {
  if (node.links > 0 || node.handles > 0) return
  node.data.free()
  for (const stream of node.streams.values()) {
    stream.bytes.free()
    budget.give(nodeBytes)
  }
  node.streams.clear()
  budget.give(nodeBytes)
}

export const addEntry = (parent: Node, name: string, node: Node, now: FileTime): Entry => {
  const entry: Entry = { name, node, parent }
  parent.children.set(upcase(name), entry)
  parent.writtenAt = now
  parent.changedAt = now
  node.links++
  return entry
}

export const removeEntry = (entry: Entry, now: FileTime): void => {
  const { parent } = entry
  if (parent === undefined) return
  parent.children.delete(upcase(entry.name))
  parent.writtenAt = now
  parent.changedAt = now
  entry.parent = undefined
  entry.node.links--
  entry.node.changedAt = now
}

export const nodeInfo = (node: Node, name: string, stream?: Stream): FileInfo => {
  const isFolder = node.kind === 'folder' && stream === undefined
  const bytes = stream?.bytes ?? node.data
  const isLink = node.kind === 'symlink'
  const holdsBytes = !isFolder && !isLink
  return {
    id: node.id,
    volumeId: 0n,
    name,
    isFolder,
    kind: stream === undefined ? node.kind : 'file',
    attributes: isLink ? fileAttribute.reparsePoint : shownAttributes(node.attributes, isFolder),
    createdAt: node.createdAt,
    accessedAt: node.accessedAt,
    writtenAt: node.writtenAt,
    changedAt: node.changedAt,
    sizeBytes: holdsBytes ? bytes.sizeBytes : 0,
    allocationBytes: holdsBytes ? bytes.allocationBytes((node.attributes & fileAttribute.sparse) !== 0) : 0,
    links: Math.max(1, node.links),
    eaSizeBytes: extendedAttributesSize(
      [...node.extendedAttributes.values()].map(({ name: eaName, value }) => ({ nameBytes: Buffer.byteLength(eaName), valueBytes: value.length })),
    ),
    reparseTag: isLink ? reparseTagSymlink : 0,
  }
}
