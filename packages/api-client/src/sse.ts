/** `text/event-stream` (HTML Living Standard 9.2.6): bytes in, events out. */

/** An event as it was sent. */
export interface StreamEvent {
  readonly event: string
  /** Of this event alone; undefined where it has none. */
  readonly id: string | undefined
  readonly data: string
}

/** More than an event of the API has to say: whoever sends more is no Holdfast. */
const eventCharactersMax = 16 * 2 ** 20

/**
 * Reads events as they come. What is not ended by an empty line when the stream ends is no event. Throws RangeError for an event of more than
 * 16 Mi characters.
 *
 * @example
 * const read = eventReader()
 * read(new TextEncoder().encode('event: operation\nid: 1-7\nda')) // => []
 * read(new TextEncoder().encode('ta: {}\n\n')) // => [{ event: 'operation', id: '1-7', data: '{}' }]
 */
export function eventReader(): (bytes: Uint8Array) => StreamEvent[] {
  const decoder = new TextDecoder()
  let rest = ''
  let endedInCr = false
  let draft: { event?: string; id?: string; data: string[] } = { data: [] }
  let draftCharacters = 0

  const takeLine = (line: string): StreamEvent | undefined => {
    draftCharacters += line.length
    if (draftCharacters > eventCharactersMax) throw new RangeError('an event is too long')
    if (line === '') {
      const { event = 'message', id, data } = draft
      draft = { data: [] }
      draftCharacters = 0
      return data.length === 0 ? undefined : { event, id, data: data.join('\n') }
    }
    const [, field = '', value = ''] = /^([^:]*)(?:: ?([^]*))?$/.exec(line) ?? []
    if (field === 'data') draft.data.push(value)
    else if (field === 'event') draft.event = value
    else if (field === 'id' && !value.includes('\u0000')) draft.id = value
    return undefined
  }

  return bytes => {
    let text = rest + decoder.decode(bytes, { stream: true })
    // A line may end in CR LF, and the two may come apart.
    if (endedInCr && text.startsWith('\n')) text = text.slice(1)
    if (text !== '') endedInCr = text.endsWith('\r')
    const lines = text.split(/\r\n|\r|\n/)
    rest = lines.pop() ?? ''
    if (rest.length > eventCharactersMax) throw new RangeError('an event is too long')
    return lines.map(takeLine).filter(event => event !== undefined)
  }
}
