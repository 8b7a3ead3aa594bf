/** RFC 7240: what a client prefers. */

/** The longest that is waited for an outcome; a connection whose client is unknown to the engine is closed later. */
export const waitSecondsMax = 50

/** What is honoured. */
export interface Preference {
  readonly respondAsync: boolean
  readonly waitSeconds: number
}

/** Of the header `Prefer`: `respond-async` (4.1) and `wait=N` (4.3). What is not understood is ignored (2). */
export function preferenceOf(header = ''): Preference {
  const preferences = new Map<string, string>()
  for (const item of header.split(',')) {
    const [name = '', value = ''] = (item.split(';')[0] ?? '').split('=').map(part => part.trim().replace(/^"(.*)"$/, '$1'))
    // The first of a name counts.
    if (name !== '' && !preferences.has(name.toLowerCase())) preferences.set(name.toLowerCase(), value)
  }
  const wait = preferences.get('wait') ?? ''
  return { respondAsync: preferences.has('respond-async'), waitSeconds: /^\d{1,9}$/.test(wait) ? Math.min(Number(wait), waitSecondsMax) : 0 }
}

/** `Preference-Applied` (3); no header where nothing was preferred that is known. */
export function appliedHeader({ respondAsync, waitSeconds }: Preference): Readonly<Record<string, string>> {
  const applied = [...(respondAsync ? ['respond-async'] : []), ...(waitSeconds > 0 ? [`wait=${waitSeconds}`] : [])]
  return applied.length === 0 ? {} : { 'Preference-Applied': applied.join(', ') }
}
