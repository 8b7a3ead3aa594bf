/**
 * Names compare after simple upper-casing of UTF-16 code units, as NTFS's $UpCase does: one unit to one unit,
 * no locale, surrogates untouched, and nothing outside ASCII becomes ASCII (dotless i and long s stay).
 */
let table: Uint16Array | undefined

const buildTable = (): Uint16Array => {
  const built = new Uint16Array(0x10000)
  for (let unit = 0; unit < 0x10000; unit++) {
    const upper = unit >= 0xd800 && unit < 0xe000 ? '' : String.fromCharCode(unit).toUpperCase()
    const first = upper.charCodeAt(0)
    built[unit] = upper.length === 1 && (first >= 0x80 || unit < 0x80) ? first : unit
  }
  return built
}

const ascii = /^[\x00-\x7f]*$/

/** The form of a name that equals that of every name which is the same but for case. */
export const upcase = (name: string): string => {
  if (ascii.test(name)) return name.toUpperCase()
  table ??= buildTable()
  let result = ''
  for (let i = 0; i < name.length; i++) result += String.fromCharCode(table[name.charCodeAt(i)])
  return result
}

/** Whether two names are the same but for case. */
export const sameName = (a: string, b: string): boolean => a === b || (a.length === b.length && upcase(a) === upcase(b))
