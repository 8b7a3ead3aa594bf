/** Lists and single things, as people or scripts read them. */

import { type CommandContext, writeAll, writeJson } from '../context.ts'
import { lines, table } from './table.ts'
import { numbersOf, rowsOf, type View } from './views.ts'

/** A table, or an object of JSON a line. */
export async function tellList<T>(
  context: CommandContext,
  view: View<T>,
  items: readonly T[],
  { json = false }: { readonly json?: boolean },
): Promise<void> {
  if (json) for (const item of items) await writeJson(context.out, item)
  else if (items.length > 0) await writeAll(context.out, table(rowsOf(view, items), { right: numbersOf(view), colours: context.colours ?? false }))
}

/** Lines of what is known, or its JSON. */
export async function tellOne<T>(context: CommandContext, view: View<T>, item: T, { json = false }: { readonly json?: boolean }): Promise<void> {
  if (json) return writeJson(context.out, item)
  await writeAll(context.out, `${lines(view.lines(item), { colours: context.colours ?? false })}\n`)
}

/** What has been done, in a line. */
export async function tellDone(context: CommandContext, { json = false }: { readonly json?: boolean }, value: unknown, text: string): Promise<void> {
  if (json) await writeJson(context.out, value)
  else await writeAll(context.out, `${text}\n`)
}
