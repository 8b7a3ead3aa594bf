/** The VPD pages of a disk. */
import { thirdPartyCopyPage } from '../commands/block/copy/vpd-page.ts'
import { blockPages } from './block-pages.ts'
import type { VpdPage } from './page.ts'
import { primaryPages } from './primary-pages.ts'

/** Supported VPD Pages (SPC-4 7.8.14): this list, without what the unit does not have. */
const supportedPages: VpdPage = {
  code: 0x00,
  name: 'Supported VPD Pages',
  content: unit => Buffer.from(vpdPages.filter(page => page.isSupported?.(unit) ?? true).map(({ code }) => code)),
}

/** By ascending code. */
export const vpdPages: readonly VpdPage[] = [supportedPages, ...primaryPages, thirdPartyCopyPage, ...blockPages].sort((a, b) => a.code - b.code)
