/** One key at a time: what the answer to an offer is, and what an answer says (RFC 7143 6.2). */
import { MalformedError } from '@holdfast/wire'
import type { TextKey, TextRule } from './keys.ts'
import { textKeyOf } from './keys.ts'
import { formatBoolean, parseBoolean, parseList, parseNumber } from './values.ts'

/** Values with a meaning of their own in an answer (6.2). */
export const TextAnswer = { notUnderstood: 'NotUnderstood', irrelevant: 'Irrelevant', reject: 'Reject', none: 'None' } as const

/** A value as one side would like it: a list has all that it takes, the best first. */
export type WantedValue = boolean | number | readonly string[]

/** What came out for a key. */
export interface Negotiated {
  /** What to answer; undefined where nothing is answered. */
  readonly answer: string | undefined
  /** What holds from now on; undefined where what held before stays. */
  readonly value: boolean | number | string | undefined
}

type Combine = (offered: string, ours: WantedValue, key: TextKey) => Negotiated

const rejected: Negotiated = { answer: TextAnswer.reject, value: undefined }

const booleans =
  (combine: (a: boolean, b: boolean) => boolean): Combine =>
  (offered, ours) => {
    const theirs = parseBoolean(offered)
    if (theirs === undefined) return rejected
    const value = combine(theirs, ours as boolean)
    return { answer: formatBoolean(value), value }
  }

const numbers =
  (combine: (a: number, b: number) => number): Combine =>
  (offered, ours, { range }) => {
    const theirs = parseNumber(offered)
    if (theirs === undefined || range === undefined) return rejected
    // What lies outside of the range is answered by an admissible value (6.2.2).
    const value = Math.min(Math.max(combine(theirs, ours as number), range[0]), range[1])
    return { answer: String(value), value }
  }

const chooseFromList: Combine = (offered, ours) => {
  const value = parseList(offered).find(item => (ours as readonly string[]).includes(item))
  return value === undefined ? rejected : { answer: value, value }
}

const combining: Readonly<Partial<Record<TextRule, Combine>>> = {
  and: booleans((a, b) => a && b),
  or: booleans((a, b) => a || b),
  minimum: numbers(Math.min),
  maximum: numbers(Math.max),
  list: chooseFromList,
}

/** The value of a key that we say nothing about: its default, as a list where it is one. */
const defaultWanted = (key: TextKey): WantedValue =>
  key.rule === 'list' ? [String(key.default ?? TextAnswer.none)] : (key.default as boolean | number)

/**
 * The answer to the offer of a key, and the value that holds then. `ours` is what we would like, the default where left out. A key that nobody
 * knows is NotUnderstood; one without meaning in a discovery session is Irrelevant; an obsolete one, and a value that is none, are Reject.
 *
 * @example
 * negotiate('MaxBurstLength', '262144', 65536) // => { answer: '65536', value: 65536 }
 * negotiate('HeaderDigest', 'CRC32C,None', ['None']) // => { answer: 'None', value: 'None' }
 */
export function negotiate(name: string, offered: string, ours?: WantedValue, session: { readonly isDiscovery?: boolean } = {}): Negotiated {
  const key = textKeyOf(name)
  if (key === undefined) return { answer: TextAnswer.notUnderstood, value: undefined }
  if (key.rule === 'declaration') return { answer: undefined, value: declaredValue(name, key, offered) }
  if (session.isDiscovery === true && key.irrelevantInDiscovery === true) return { answer: TextAnswer.irrelevant, value: undefined }
  return combining[key.rule]?.(offered, ours ?? defaultWanted(key), key) ?? rejected
}

function declaredValue(name: string, key: TextKey, text: string): number | string {
  if (key.range === undefined) return text
  const value = parseNumber(text)
  if (value === undefined || value < key.range[0] || value > key.range[1]) throw new MalformedError('bad-value', `${name} is ${text}`)
  return value
}

/** Whether an answer may be given to an offer, by rule. */
const admissible: Readonly<Partial<Record<TextRule, (value: boolean | number | string, offered: WantedValue) => boolean>>> = {
  and: (value, offered) => value === false || offered === true,
  or: (value, offered) => value === true || offered === false,
  minimum: (value, offered) => value <= offered,
  maximum: (value, offered) => value >= offered,
  list: (value, offered) => (offered as readonly string[]).includes(String(value)),
}

/**
 * What the other side's answer to our own offer says: the value that holds, or undefined where the key stays as it was (NotUnderstood,
 * Irrelevant, Reject; None as an answer to a list without it, as some targets say it). Throws MalformedError `bad-answer` for one that the rule does not allow.
 */
export function readAnswer(name: string, offered: WantedValue, answer: string): boolean | number | string | undefined {
  const key = textKeyOf(name)
  if (key === undefined || answer === TextAnswer.notUnderstood || answer === TextAnswer.irrelevant || answer === TextAnswer.reject) return undefined
  if (key.rule === 'list' && answer === TextAnswer.none && !(offered as readonly string[]).includes(answer)) return undefined
  const value = typeof offered === 'boolean' ? parseBoolean(answer) : typeof offered === 'number' ? parseNumber(answer) : answer
  const inRange = typeof value !== 'number' || key.range === undefined || (value >= key.range[0] && value <= key.range[1])
  if (value === undefined || !inRange || admissible[key.rule]?.(value, offered) !== true)
    throw new MalformedError('bad-answer', `${name}=${answer} is no answer to ${String(offered)}`)
  return value
}

/** A value as it is offered. */
export function formatWanted(value: WantedValue): string {
  return typeof value === 'boolean' ? formatBoolean(value) : typeof value === 'number' ? String(value) : value.join(',')
}
