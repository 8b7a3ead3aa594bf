/** Where the records of volumes are kept. */
import type { StoredVolume } from './record.ts'

/**
 * Records by the volume's name. What has resolved survives everything; what has not may have happened or not. A volume is written by the one
 * who claimed it last: the writes of those before reject with `VolumeError` `NOT_OWNER`.
 */
export interface VolumeMetadata {
  /** The records of all volumes, whoever owns them. */
  load(): Promise<readonly StoredVolume[]>
  /** Becomes the one who writes a volume's record, whether there is one or not; resolves to it as it is. */
  claim(name: string): Promise<StoredVolume | undefined>
  /** Puts a claimed volume's record in place of what there was. */
  save(record: StoredVolume): Promise<void>
  /** Removes a claimed volume's record. */
  remove(name: string): Promise<void>
}
