/** Search patterns of QUERY_DIRECTORY (MS-FSA 2.1.4.4): `*` and `?`, and the three that imitate DOS: `<` (DOS_STAR), `>` (DOS_QM), `"` (DOS_DOT). */
import { upcaseUnit } from './upcase.ts'

export interface NamePattern {
  /** The name itself where there is no wildcard in it: a lookup will do. */
  readonly literal: string | undefined
  readonly matchesAll: boolean
  /** Without regard to case. */
  matches(name: string): boolean
}

const star = 0x2a
const question = 0x3f
const dosStar = 0x3c
const dosQuestion = 0x3e
const dosDot = 0x22
const dot = 0x2e

const anyWildcard = /[*?<>"]/
const dosWildcard = /[<>"]/

/** Makes a pattern ready for many names. An empty one is `*` (MS-FSA 2.1.5.6.3). */
export function compilePattern(pattern: string): NamePattern {
  if (pattern === '' || /^\*+$/.test(pattern)) return { literal: undefined, matchesAll: true, matches: () => true }
  const units = new Uint16Array(pattern.length)
  for (let index = 0; index < pattern.length; index++) units[index] = upcaseUnit(pattern.charCodeAt(index))
  if (!anyWildcard.test(pattern)) return { literal: pattern, matchesAll: false, matches: name => sameUnits(units, name) }
  const matches = dosWildcard.test(pattern)
    ? units.length <= maskUnits
      ? maskMatcher(units)
      : dosMatcher(units)
    : (name: string) => matchesSimple(units, name)
  return { literal: undefined, matchesAll: false, matches }
}

function sameUnits(units: Uint16Array, name: string): boolean {
  if (units.length !== name.length) return false
  for (let index = 0; index < units.length; index++) if (units[index] !== upcaseUnit(name.charCodeAt(index))) return false
  return true
}

/** `*` and `?` only: on a mismatch the last star takes one unit more. */
function matchesSimple(units: Uint16Array, name: string): boolean {
  let at = 0
  let unit = 0
  let lastStar = -1
  let taken = 0
  while (at < name.length) {
    if (unit < units.length && units[unit] === star) {
      lastStar = unit++
      taken = at
    } else if (unit < units.length && (units[unit] === question || units[unit] === upcaseUnit(name.charCodeAt(at)))) {
      unit++
      at++
    } else if (lastStar >= 0) {
      unit = lastStar + 1
      at = ++taken
    } else return false
  }
  while (unit < units.length && units[unit] === star) unit++
  return unit === units.length
}

/** A pattern up to this long has its positions in the bits of one number. */
const maskUnits = 30

/** As `dosMatcher`, for patterns that are not longer than people write them. */
function maskMatcher(units: Uint16Array): (name: string) => boolean {
  const maskOf = (wanted: number) => units.reduce((mask, unit, index) => (unit === wanted ? mask | (1 << index) : mask), 0)
  const stars = maskOf(star)
  const dosStars = maskOf(dosStar)
  const dosQuestions = maskOf(dosQuestion)
  const skippable = stars | dosStars
  const skippableAtDot = skippable | dosQuestions
  const skippableAtEnd = skippableAtDot | maskOf(dosDot)
  const wild = new Set([star, question, dosStar, dosQuestion, dosDot])
  /** Positions that take a unit and go on, besides DOS_QM. */
  const takers = new Map<number, number>()
  for (const unit of units) if (!wild.has(unit)) takers.set(unit, maskOf(unit) | maskOf(question))
  takers.set(dot, (takers.get(dot) ?? 0) | maskOf(question) | maskOf(dosDot))
  const others = maskOf(question)
  const accepting = 1 << units.length

  const skip = (reached: number, mask: number): number => {
    for (let all = reached; ; all |= (all & mask) << 1) if ((((all & mask) << 1) & ~all) === 0) return all
  }

  return name => {
    let reached = 1
    const lastDot = name.lastIndexOf('.')
    for (let at = 0; at < name.length && reached !== 0; at++) {
      const unit = upcaseUnit(name.charCodeAt(at))
      reached = skip(reached, unit === dot ? skippableAtDot : skippable)
      const going = (takers.get(unit) ?? others) | (unit === dot ? 0 : dosQuestions)
      reached = (reached & (at === lastDot ? stars : skippable)) | ((reached & going) << 1)
    }
    return (skip(reached, skippableAtEnd) & accepting) !== 0
  }
}

/**
 * With DOS wildcards: all positions of the pattern at which one can be after each unit of the name (a set, kept as
 * flags), so that the work is bounded by name times pattern.
 */
function dosMatcher(units: Uint16Array): (name: string) => boolean {
  const states = units.length + 1
  let reached = new Uint8Array(states)
  let next = new Uint8Array(states)

  /** What matches nothing at this point of the name: `following` is the unit ahead, -1 at the end. */
  const skip = (following: number) => {
    for (let state = 0; state < units.length; state++) {
      if (reached[state] === 0) continue
      const unit = units[state]
      const skips =
        unit === star ||
        unit === dosStar ||
        // DOS_QM gives way to a dot and to the end of the name, DOS_DOT to the end.
        (unit === dosQuestion && (following === dot || following < 0)) ||
        (unit === dosDot && following < 0)
      if (skips) reached[state + 1] = 1
    }
  }

  const take = (unit: number, isLastDot: boolean) => {
    next.fill(0)
    for (let state = 0; state < units.length; state++) {
      if (reached[state] === 0) continue
      const wanted = units[state]
      if (wanted === star || (wanted === dosStar && !isLastDot)) next[state] = 1
      else if (wanted === question || (wanted === dosQuestion && unit !== dot) || (wanted === dosDot ? unit === dot : wanted === unit))
        next[state + 1] = 1
    }
    const done = reached
    reached = next
    next = done
  }

  return name => {
    reached.fill(0)
    reached[0] = 1
    const lastDot = name.lastIndexOf('.')
    for (let at = 0; at < name.length; at++) {
      const unit = upcaseUnit(name.charCodeAt(at))
      skip(unit)
      // DOS_STAR stops at the last dot of the name.
      take(unit, at === lastDot)
    }
    skip(-1)
    return reached[units.length] === 1
  }
}
