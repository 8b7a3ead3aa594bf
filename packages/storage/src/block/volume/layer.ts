/** A layer of a partition: its file, and which blocks of it count. */
import type { FilePlace } from '../block-device.ts'
import type { LayerMap } from './layer-map.ts'

/** A run of bytes that are stored, or are not. */
export interface Run {
  readonly end: number
  readonly isData: boolean
}

/** What a write to a file may ask for. */
export interface FileWriteOptions {
  /** On stable storage when it resolves. */
  readonly isDurable?: boolean
  /** Hears how far it came, also if it fails then. */
  readonly written?: (bytes: number) => void
}

/** The file of a layer. `BackingFile` says what each method does; all reject with `BlockDeviceError`. */
export interface LayerFile {
  readNow(into: readonly Buffer[], offset: number): boolean
  placeNow?(offset: number, lengthBytes: number): FilePlace | undefined
  read(into: readonly Buffer[], offset: number): Promise<void>
  writeNow(from: readonly Buffer[], offset: number): number
  write(from: readonly Buffer[], offset: number, options?: FileWriteOptions): Promise<void>
  punch(offset: number, lengthBytes: number): Promise<void>
  zero(offset: number, lengthBytes: number): Promise<void>
  writeZeros(offset: number, lengthBytes: number, written?: (bytes: number) => void): Promise<void>
  flush(): Promise<void>
  runAt(offset: number, limit: number): Promise<Run>
  writtenNow(offset: number, limit: number): Run
  grow(sizeBytes: number): Promise<void>
  usage(): { readonly usedBytes: number; readonly availableBytes: number }
  /** Of the file, and of what its checksums are in. */
  readonly descriptors: { readonly data: number; readonly sums?: number }
  close(): Promise<void>
}

/** A layer; the base has no `validity`: all of it counts. */
export interface Layer {
  readonly number: number
  readonly file: LayerFile
  readonly validity: LayerMap | undefined
}

/** All that was written before the call is on stable storage when it resolves. */
export const flushLayer = ({ file, validity }: Layer): Promise<void> => (validity === undefined ? file.flush() : validity.flush())

/** Waits for what is under way; nothing may be asked for afterwards. */
export const closeLayer = async ({ file, validity }: Layer): Promise<void> => {
  await validity?.close()
  await file.close()
}

/** The same of several. */
export const closeLayers = async (layers: readonly Layer[]): Promise<void> => {
  await Promise.all(layers.map(closeLayer))
}
