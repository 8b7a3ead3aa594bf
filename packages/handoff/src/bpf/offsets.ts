/** Where the fields of a layout are: for programs, and for who writes fields into a Buffer that is used again. */

import { UsageError } from '@holdfast/wire'
import type { AnyKind, Field, Struct } from '@holdfast/wire'

/** Byte offsets by the names of fields. */
export type Offsets<Names extends string = string> = Readonly<Record<Names, number>>

const kindOf = (field: Field): AnyKind | undefined => {
  if (field.role === 'kind') return field
  return 'kind' in field ? field.kind : undefined
}

/**
 * Byte offsets of a struct's fields. Only for what has no variable parts.
 *
 * @example
 * offsetsOf(FlowKey).destinationPort // => 34
 */
export function offsetsOf<Out, In>(layout: Struct<Out, In>): Offsets<keyof Out & string> {
  const offsets: Record<string, number> = {}
  let at = 0
  for (const [name, field] of Object.entries(layout.fields)) {
    const kind = kindOf(field)
    if (kind === undefined) throw new UsageError('bad-layout', `${layout.name}: ${name} has no place of its own`)
    offsets[name] = at
    at += kind.size
  }
  return offsets as Offsets<keyof Out & string>
}
