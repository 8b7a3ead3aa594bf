/** Which pages of a volume have content, as text. */

import { exactSize } from '../../config/units.ts'

/** By how much of a piece is allocated. */
const shades = ['·', '░', '▒', '▓', '█'] as const
const rowsMax = 8

export interface VolumeMap {
  readonly sizeBytes: number
  readonly cellBytes: number
  /** A byte for each cell, 0 to 255, in base64. */
  readonly cells: string
}

/** Lines of at most `columns` characters, each for as many cells as it takes to fit, and what one of them stands for. */
export function volumeMapText({ sizeBytes, cellBytes, cells }: VolumeMap, columns: number): string[] {
  const shares = [...Buffer.from(cells, 'base64')].map(byte => byte / 255)
  // The last one may be more than there is of the volume.
  const lastBytes = sizeBytes - (shares.length - 1) * cellBytes
  const last = shares.pop()
  if (last !== undefined) shares.push(Math.min(1, (last * cellBytes) / lastBytes))
  const width = Math.max(8, Math.min(64, columns))
  const cellsEach = Math.max(1, Math.ceil(shares.length / (width * rowsMax)))
  const characters = Array.from({ length: Math.ceil(shares.length / cellsEach) }, (_, index) =>
    shadeOf(shares.slice(index * cellsEach, (index + 1) * cellsEach)),
  )
  const rows = Array.from({ length: Math.ceil(characters.length / width) }, (_, row) => characters.slice(row * width, (row + 1) * width).join(''))
  const each = exactSize(Math.min(cellBytes * cellsEach, sizeBytes))
  return [...rows, `one character: ${each}, ${shades[0]} empty to ${shades.at(-1)} full`]
}

/** Nothing is shown as nothing only where there is nothing, and full only what is full. */
function shadeOf(cells: readonly number[]): string {
  const share = cells.reduce((sum, cell) => sum + cell, 0) / cells.length
  if (share === 0 || share === 1) return shades[share === 0 ? 0 : 4]
  return shades[1 + Math.min(2, Math.floor(share * 3))] ?? ''
}
