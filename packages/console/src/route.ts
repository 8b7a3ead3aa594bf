/** Where in the console one is: `#/volumes/disk1` is the page `volumes` with `disk1`. */

/** A place; `argument` is what is behind the page's name, `query` what is behind `?`. */
export interface Place {
  readonly page: string
  readonly argument: string | undefined
  readonly query: Readonly<Record<string, string>>
}

/** Reads the part of an address behind `#`. What is malformed is the first page. */
export function placeOf(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#?\/?/, '').split('?', 2)
  const [page = '', argument] = path.split('/', 2)
  return { page: page === '' ? 'overview' : page, argument: decoded(argument), query: Object.fromEntries(new URLSearchParams(query)) }
}

/** The address of a place, with `#`. */
export function hrefOf(page: string, argument?: string, query: Readonly<Record<string, string>> = {}): string {
  const words = new URLSearchParams(query).toString()
  return `#/${page}${argument === undefined ? '' : `/${encodeURIComponent(argument)}`}${words === '' ? '' : `?${words}`}`
}

function decoded(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined
  try {
    return decodeURIComponent(text)
  } catch {
    // A lone % that somebody has typed: it stands for itself.
    return text
  }
}
