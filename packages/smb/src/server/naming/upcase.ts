/** Comparing names without regard to case, as Windows does: code unit by code unit, the length never changes. */

let table: Uint16Array | undefined

/** Simple upper case of every UTF-16 code unit. Made on first use: 128 KiB. */
function upcaseTable(): Uint16Array {
  if (table !== undefined) return table
  table = new Uint16Array(0x1_0000)
  for (let unit = 0; unit < 0x1_0000; unit++) {
    const upper = String.fromCharCode(unit).toUpperCase()
    // What becomes two units ("ß") stays, and so do surrogates.
    table[unit] = upper.length === 1 ? upper.charCodeAt(0) : unit
  }
  return table
}

/** Upper case of one UTF-16 code unit. */
export function upcaseUnit(unit: number): number {
  if (unit < 0x80) return unit >= 0x61 && unit <= 0x7a ? unit - 0x20 : unit
  return upcaseTable()[unit]
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0x7f) return false
  return true
}

/** Upper case of a name. */
export function upcaseName(name: string): string {
  // Most names are ASCII, and for those the built-in is the same.
  if (isAscii(name)) return name.toUpperCase()
  let upper = ''
  for (let index = 0; index < name.length; index++) upper += String.fromCharCode(upcaseUnit(name.charCodeAt(index)))
  return upper
}

/** Are two names the same to Windows? */
export function sameName(a: string, b: string): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let index = 0; index < a.length; index++) if (upcaseUnit(a.charCodeAt(index)) !== upcaseUnit(b.charCodeAt(index))) return false
  return true
}
