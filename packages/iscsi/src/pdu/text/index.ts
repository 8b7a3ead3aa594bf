/** Text of login and text PDUs: pairs, keys, and how they are negotiated. */
export * from './address.ts'
export * from './keys.ts'
export * from './negotiation.ts'
export * from './negotiator.ts'
export * from './text.ts'
export * from './values.ts'
