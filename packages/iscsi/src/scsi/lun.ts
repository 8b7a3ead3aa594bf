/** Logical unit numbers, eight bytes (SAM-5 4.7). */

/** The well-known logical unit that has REPORT LUNS (SPC-4 8.2). */
export const reportLunsWellKnownUnit: Buffer = Buffer.from('c101000000000000', 'hex')

/** The highest number of the flat space. */
export const maxLun = 0x3fff

/** Peripheral device addressing up to 255, flat space addressing above (SAM-5 4.7.7). */
export function encodeLun(lun: number): Buffer {
  const result = Buffer.alloc(8)
  result.writeUInt16BE(lun < 256 ? lun : 0x4000 | lun)
  return result
}

/** The number; undefined for what has other levels, or is addressed in another way. */
export function decodeLun(bytes: Buffer): number | undefined {
  if (bytes.readUInt16BE(2) !== 0 || bytes.readUInt32BE(4) !== 0) return undefined
  const first = bytes.readUInt16BE(0)
  if (first < 256) return first
  return first >> 14 === 1 ? first & maxLun : undefined
}

/** SELECT REPORT (SPC-4 table 'SELECT REPORT field'): which LUNs. Administrative and subsidiary logical units there are none of. */
const reports: Readonly<Record<number, (luns: readonly number[]) => readonly Buffer[]>> = {
  0x00: luns => luns.map(encodeLun),
  0x01: () => [reportLunsWellKnownUnit],
  0x02: luns => [...luns.map(encodeLun), reportLunsWellKnownUnit],
  0x10: () => [],
  0x11: luns => luns.map(encodeLun),
  0x12: () => [],
}

/** Parameter data of REPORT LUNS (SPC-4 6.33). Undefined for a SELECT REPORT that there is not. */
export function lunList(selectReport: number, luns: readonly number[]): Buffer | undefined {
  const report = reports[selectReport]
  if (report === undefined) return undefined
  const list = Buffer.concat(report(luns))
  const header = Buffer.alloc(8)
  header.writeUInt32BE(list.length)
  return Buffer.concat([header, list])
}
