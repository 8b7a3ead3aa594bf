/**
 * Rendezvous hashing (Thaler and Ravishankar, 1998) with weights: each agent has a score for each key, and the best one has the key. When an agent goes, only its keys go to
 * others; when one comes or gets more weight, it takes keys from others, and nothing else moves.
 */

/** A hash of a text's characters `[from, to)`, 32 bits: FNV-1a. */
export function hashOf(text: string, from = 0, to: number = text.length): number {
  let hash = 0x811c9dc5
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}

/** Spreads a change of any bit over all of them (the last step of MurmurHash3). */
export function mix(value: number): number {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

/** What an agent has for scores. */
export interface Weighted {
  /** `seedOf` its name. */
  readonly seed: number
  /** More than 0; twice the weight, twice the keys. */
  readonly weight: number
}

/** The number that stands for an agent. */
export const seedOf = (name: string): number => mix(hashOf(name))

/**
 * How far an agent is from a key: the nearest has it. A hash made into a number u between 0 and 1 gives -ln(u)/weight, an exponentially distributed time: of several, the
 * chance to be the first is in proportion to the weight.
 */
export function distanceOf(keyHash: number, { seed, weight }: Weighted): number {
  const u = ((mix(mix(keyHash ^ seed) + seed) >>> 0) + 0.5) / 2 ** 32
  return -Math.log(u) / weight
}
