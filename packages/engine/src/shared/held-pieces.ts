/**
 * The pieces of files within the write that a worker is at, noted where its manager finds them should the worker die: it reads what has not
 * gone out. Their descriptors are duplicates, as a worker's own are closed with it, and their numbers may be another file's then; pieces of
 * one file that follow each other share one.
 */
import { closeDescriptor, duplicateDescriptor } from '@holdfast/posix/socket'
import type { FilePiece } from '../worker-api.ts'
import { Control, piecesMax, pieceWords } from './layout.ts'

/** Before the write. False when there are more than can be noted, or no descriptors: then nothing is held. */
export function holdPieces(control: Int32Array, files: readonly FilePiece[]): boolean {
  if (files.length > piecesMax) return false
  let former = -1
  let duplicate = -1
  for (const [index, { at, lengthBytes, descriptor, offset }] of files.entries()) {
    if (descriptor !== former) duplicate = duplicateDescriptor(descriptor)
    former = descriptor
    const place = Control.pieces + index * pieceWords
    control[place] = at
    control[place + 1] = lengthBytes
    control[place + 2] = duplicate
    control[place + 3] = offset
    control[place + 4] = offset / 2 ** 32
    if (duplicate >= 0) continue
    control[Control.pieceCount] = index
    releasePieces(control)
    return false
  }
  Atomics.store(control, Control.pieceCount, files.length)
  return true
}

/** What is held, as the manager reads it. */
export function heldPieces(control: Int32Array): FilePiece[] {
  return Array.from({ length: Atomics.load(control, Control.pieceCount) }, (_, index) => {
    const place = Control.pieces + index * pieceWords
    return {
      at: control[place],
      lengthBytes: control[place + 1],
      descriptor: control[place + 2],
      offset: (control[place + 3] >>> 0) + control[place + 4] * 2 ** 32,
    }
  })
}

/**
 * After the write. Who dies in the middle of this leaves descriptors open: better than that one is closed twice, which may be somebody else's
 * by then.
 */
export function releasePieces(control: Int32Array): void {
  const count = Atomics.exchange(control, Control.pieceCount, 0)
  let former = -1
  for (let index = 0; index < count; index++) {
    const duplicate = control[Control.pieces + index * pieceWords + 2]
    if (duplicate !== former) closeDescriptor(duplicate)
    former = duplicate
  }
}
