/** The id of an event: which log, and its number there. Number 0 is before the first one. */
export interface Cursor {
  readonly epoch: string
  readonly sequence: number
}

/** `EPOCH-SEQUENCE`. */
export const eventId = (epoch: string, sequence: number): string => `${epoch}-${sequence}`

/** Undefined for what is no event's id. */
export function parseCursor(id: string): Cursor | undefined {
  const match = /^([0-9a-f]{1,32})-(\d{1,15})$/.exec(id)
  return match === null ? undefined : { epoch: match[1], sequence: Number(match[2]) }
}
