/** What an operation is done to, and what of its request may be shown. */

import { z } from 'zod'
import { routes } from '../api/routes.ts'
import type { OperationKind, Route } from '../api/routes.ts'

/** A request of an operation, whatever its kind. */
export interface AnyAsked {
  readonly parameters: Readonly<Record<string, string>>
  readonly query?: unknown
  readonly body?: unknown
}

const bodyOf = ({ body }: AnyAsked): Readonly<Record<string, unknown>> => (typeof body === 'object' && body !== null ? { ...body } : {})

/** Halves of surrogate pairs have no place in a path. */
const encoded = (name: string): string => encodeURIComponent(name.toWellFormed())

/** A path of the API, such as `/v1/volumes/disk1`; of something that is made, where it will be. */
export function targetOf(kind: OperationKind, asked: AnyAsked): string {
  const { method, path }: Route = routes[kind]
  const place = path.replace(/\{(\w+)\}/g, (_, name: string) => encoded(asked.parameters[name] ?? ''))
  const { name } = bodyOf(asked)
  return method === 'POST' && typeof name === 'string' ? `${place}/${encoded(name)}` : place
}

/** Operations in a line come one after the other: all that concern a volume, say, with its snapshots. Names of shares and users have no case. */
export const lineOf = (target: string): string => target.split('/').slice(0, 4).join('/').toLowerCase()

const isSecret = (schema: unknown): boolean => {
  const inner = schema instanceof z.ZodOptional ? schema.unwrap() : schema
  return inner instanceof z.ZodType && inner.meta()?.['writeOnly'] === true
}

/** Names of what a kind's request has that nobody may see. */
function secretsOf(kind: OperationKind): string[] {
  const { body }: Route = routes[kind]
  return body instanceof z.ZodObject ? Object.keys(body.shape).filter(name => isSecret(body.shape[name])) : []
}

/** The body of a request without its secrets. */
export function shownRequest(kind: OperationKind, asked: AnyAsked): Readonly<Record<string, unknown>> {
  const secrets = secretsOf(kind)
  return Object.fromEntries(Object.entries(bodyOf(asked)).filter(([name]) => !secrets.includes(name)))
}
