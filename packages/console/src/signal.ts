/** Values that change and say so: all the state management there is. */

/** What can be read and watched. */
export interface Readable<T> {
  readonly value: T
  /** Calls back after each change; ends with the function that it returns. */
  subscribe(listener: () => void): () => void
}

/** What can be changed as well. Setting it to what it is already tells nobody. */
export interface Signal<T> extends Readable<T> {
  set(next: T): void
  update(change: (before: T) => T): void
}

/**
 * @example
 * const theme = signal('dark')
 * theme.subscribe(() => console.log(theme.value))
 * theme.set('light') // prints light
 */
export function signal<T>(initial: T): Signal<T> {
  let value = initial
  const listeners = new Set<() => void>()
  const set = (next: T): void => {
    if (Object.is(next, value)) return
    value = next
    for (const listener of listeners) listener()
  }
  return {
    get value() {
      return value
    },
    set,
    update: change => set(change(value)),
    subscribe(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}
