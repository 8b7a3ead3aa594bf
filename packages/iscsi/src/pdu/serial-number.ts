/** Serial number arithmetic over 32 bits (RFC 1982), for CmdSN, StatSN and DataSN (RFC 7143 4.2.2.1). */

/** `serial` + `count`, going on with 0 behind 2^32-1. */
export const serialAdd = (serial: number, count: number): number => (serial + count) >>> 0

/** How far `to` lies behind `from`; negative when it lies before. */
export const serialDistance = (from: number, to: number): number => (to - from) | 0

/** True when `a` comes before `b`. */
export const serialBefore = (a: number, b: number): boolean => serialDistance(a, b) > 0

/** True when `serial` lies in the window from `first` to `last`, both included; one that ends right before its beginning is empty. */
export const serialWithin = (serial: number, first: number, last: number): boolean =>
  serialDistance(first, serial) >= 0 && serialDistance(serial, last) >= 0
