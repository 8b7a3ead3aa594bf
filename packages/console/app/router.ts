/** Hash routing: nothing has to be known to the server, and the back button works. */
import { signal } from '../src/signal.ts'
import { hrefOf, placeOf } from '../src/route.ts'

/** Where we are. */
export const place = signal(placeOf(location.hash))
addEventListener('hashchange', () => place.set(placeOf(location.hash)))

/** Goes there. */
export const go = (...where: Parameters<typeof hrefOf>): void => {
  location.hash = hrefOf(...where)
}
