/** Dates in fields (RFC 9110 5.6.7). */

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const month = `(${months.join('|')})`
const time = '(\\d\\d):(\\d\\d):(\\d\\d)'

/** The three forms that recipients have to take: IMF-fixdate, that of RFC 850, and that of asctime. */
const fixdate = new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\\d\\d) ${month} (\\d{4}) ${time} GMT$`)
const rfc850 = new RegExp(`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (\\d\\d)-${month}-(\\d\\d) ${time} GMT$`)
const asctime = new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ${month} ([ \\d]\\d) ${time} (\\d{4})$`)

/** An IMF-fixdate of milliseconds since 1970, the one form that is sent. */
export const formatHttpDate = (ms: number): string => new Date(ms).toUTCString()

/**
 * Seconds since 1970; undefined for what is no date, which makes a recipient ignore the field. A year of two digits that seems more than 50 years ahead of
 * `nowMs` is one of the past.
 *
 * @example
 * parseHttpDate('Sun, 06 Nov 1994 08:49:37 GMT') // => 784111777
 */
export function parseHttpDate(text: string, nowMs: number = Date.now()): number | undefined {
  const fixed = fixdate.exec(text)
  if (fixed !== null) return secondsOf(Number(fixed[3]), fixed[2], fixed[1], fixed.slice(4))
  const c = asctime.exec(text)
  if (c !== null) return secondsOf(Number(c[6]), c[1], c[2], c.slice(3, 6))
  const old = rfc850.exec(text)
  if (old === null) return undefined
  const thisYear = new Date(nowMs).getUTCFullYear()
  const year = thisYear - (thisYear % 100) + Number(old[3])
  return secondsOf(year > thisYear + 50 ? year - 100 : year, old[2], old[1], old.slice(4))
}

/** Undefined for days and times that there are not; second 60 is a leap second. */
function secondsOf(year: number, monthName: string, day: string, [hours, minutes, seconds]: readonly string[]): number | undefined {
  const at = new Date(0)
  at.setUTCFullYear(year, months.indexOf(monthName), Number(day))
  if (at.getUTCDate() !== Number(day) || Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 60) return undefined
  return at.getTime() / 1000 + Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
}
