/** Arithmetic modulo 2^32: sequence numbers (RFC 9293 3.4) and timestamps (RFC 7323). All take and give unsigned numbers. */

/** a + b. */
export const plus = (a: number, b: number): number => (a + b) >>> 0

/** a − b. */
export const minus = (a: number, b: number): number => (a - b) >>> 0

/** How far `a` is ahead of `b`: negative when it is behind. */
export const ahead = (a: number, b: number): number => (a - b) | 0

/** The one that is further on. */
export const furthest = (a: number, b: number): number => (ahead(a, b) > 0 ? a : b)
