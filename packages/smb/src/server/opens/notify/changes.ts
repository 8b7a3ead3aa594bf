import type { ExternalChange } from '@holdfast/storage'
import { foldPath } from '../paths.ts'
import { notifyActions, notifyFilters, type FolderChange, type RenameNotice } from './types.ts'

const nameFilter = (isFolder: boolean): number => (isFolder ? notifyFilters.dirName : notifyFilters.fileName)

/** A rename as its folders see it: two names in one folder, or gone here and new there. */
export const changesOfRename = ({ from, to, isFolder, parentKey }: RenameNotice): FolderChange[] => {
  const filter = nameFilter(isFolder)
  const sameFolder = foldPath(from.folder) === foldPath(to.folder)
  const shown = { filter, listing: true, parentKey }
  return [
    { folder: from.folder, name: from.name, action: sameFolder ? notifyActions.renamedOldName : notifyActions.removed, ...shown },
    { folder: to.folder, name: to.name, action: sameFolder ? notifyActions.renamedNewName : notifyActions.added, ...shown },
  ]
}

const actionsOfExternal: Readonly<Record<ExternalChange['action'], number>> = {
  added: notifyActions.added,
  removed: notifyActions.removed,
  modified: notifyActions.modified,
  metadata: notifyActions.modified,
  'renamed-from': notifyActions.renamedOldName,
  'renamed-to': notifyActions.renamedNewName,
}

const { size, lastWrite, attributes, security, creation, lastAccess, ea } = notifyFilters

/** What the filesystem reported, in the terms of change notification. */
export const changeOfExternal = ({ folder, name, action, isFolder }: ExternalChange): FolderChange => ({
  folder,
  name,
  action: actionsOfExternal[action],
  filter:
    action === 'modified' ? size | lastWrite : action === 'metadata' ? attributes | security | creation | lastAccess | ea : nameFilter(isFolder),
})
