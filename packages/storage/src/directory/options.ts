/** How `directory` serves a folder. */
export interface DirectoryOptions {
  /** Refuse every change with `read-only`. */
  readonly readOnly: boolean
  /** Name of the volume (FileFsVolumeInformation); default: the folder's name. */
  readonly label: string
  /** Serial number of the volume, 32 bits; default: made of the filesystem's id. */
  readonly serialNumber: number
  /** Permission bits of new files, before umask. */
  readonly fileMode: number
  /** Permission bits of new folders, before umask. */
  readonly folderMode: number
  /** Show names that start with a dot as HIDDEN where no attributes are stored. */
  readonly hideDotFiles: boolean
  /** Most folders whose names are indexed for lookups without regard to case. */
  readonly maxIndexedFolders: number
  /** Most names in all indexes together. */
  readonly maxIndexedNames: number
  /** Most folders that `watch` watches, those below a recursive one included; further ones are not reported. */
  readonly maxWatchedFolders: number
  /** How often `watch` looks for changes, in ms. */
  readonly watchIntervalMs: number
}

export const directoryDefaults: Omit<DirectoryOptions, 'label' | 'serialNumber'> = {
  readOnly: false,
  fileMode: 0o666,
  folderMode: 0o777,
  hideDotFiles: false,
  maxIndexedFolders: 1024,
  maxIndexedNames: 4_000_000,
  maxWatchedFolders: 8192,
  watchIntervalMs: 50,
}
