/** A disk as its initiators see it. */
export interface LogicalUnit {
  readonly blockBytes: number
}
