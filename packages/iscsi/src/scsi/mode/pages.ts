/** Mode pages of a disk (SPC-4 7.5, SBC-4 6.5) as a table: what is in them, and what of it can be changed. */

/** A mode page. */
export interface ModePage {
  readonly code: number
  readonly subpage: number
  /** As the standard writes it. */
  readonly name: string
  /** The whole page, with its header; PS zero. */
  readonly defaults: Buffer
  /** As long, with the same header; a bit is set where MODE SELECT may change it. */
  readonly changeable: Buffer
}

/** Bits by name: where they are in their page, and which. */
export interface ModeField {
  readonly code: number
  readonly subpage: number
  readonly byte: number
  readonly mask: number
}

/** Fields that the unit acts on. */
export const ModeFields = {
  /** WCE */
  writeCacheEnabled: { code: 0x08, subpage: 0, byte: 2, mask: 0x04 },
  /** D_SENSE */
  descriptorSense: { code: 0x0a, subpage: 0, byte: 2, mask: 0x04 },
  /** SWP */
  softwareWriteProtect: { code: 0x0a, subpage: 0, byte: 4, mask: 0x08 },
  /** TAS */
  taskAbortedStatus: { code: 0x0a, subpage: 0, byte: 5, mask: 0x40 },
} as const satisfies Record<string, ModeField>

const subPageFormat = 0x40

function page(code: number, name: string, content: string, fields: readonly ModeField[] = [], subpage = 0): ModePage {
  const body = Buffer.from(content.replaceAll(' ', ''), 'hex')
  const header = subpage === 0 ? [code, body.length] : [subPageFormat | code, subpage, body.length >> 8, body.length & 0xff]
  const defaults = Buffer.concat([Buffer.from(header), body])
  const changeable = Buffer.alloc(defaults.length)
  defaults.copy(changeable, 0, 0, header.length)
  for (const field of fields) changeable[field.byte] |= field.mask
  return { code, subpage, name, defaults, changeable }
}

/** In the order in which MODE SENSE returns all of them. */
export const modePages: readonly ModePage[] = [
  // AWRE and ARRE: what is below relocates what goes bad.
  page(0x01, 'Read-Write Error Recovery', 'c0 00 00000000 00 00 0000'),
  page(0x07, 'Verify Error Recovery', '00 00 00000000 0000 0000'),
  // WCE; DISC. No limit on prefetching, which is the device's own affair.
  page(0x08, 'Caching', '14 00 ffff 0000 ffff ffff 00 00 0000 00 000000', [ModeFields.writeCacheEnabled]),
  // One task set for all (TST 000b), ordering kept where data depends on it (QAM 0h), TAS; busy timeout unlimited.
  page(0x0a, 'Control', '02 00 00 40 0000 ffff 0000', [ModeFields.descriptorSense, ModeFields.softwareWriteProtect, ModeFields.taskAbortedStatus]),
  page(0x0a, 'Control Extension', `00 00 fc ${'00'.repeat(25)}`, [], 0x01),
  // MRIE 6h: exceptions are told when asked for; there is none so far.
  page(0x1c, 'Informational Exceptions Control', '00 06 00000000 00000000'),
]
