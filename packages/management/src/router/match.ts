/** Which line of the table of routes a request is for. */

import type { Route, RouteId } from '../api/routes.ts'
import { routes } from '../api/routes.ts'
import { ManagementError } from '../core/problems.ts'

/** A route with what its path leaves open. */
export interface Match {
  readonly id: RouteId
  readonly route: Route
  readonly parameters: Readonly<Record<string, string>>
}

interface Line {
  readonly id: RouteId
  readonly route: Route
  readonly segments: readonly string[]
}

const lines: readonly Line[] = Object.entries(routes).map(([id, route]) => ({ id: id as RouteId, route, segments: route.path.split('/') }))

/** HEAD asks what GET does, without the content (RFC 9110 9.3.2); a stream has no end that could be left out. */
const answersTo = ({ method, kind }: Route): readonly string[] => (method === 'GET' && kind !== 'stream' ? ['GET', 'HEAD'] : [method])

/**
 * Finds the route; undefined where the path is none of the table. Throws `METHOD_NOT_ALLOWED`, which has `allow`, and `MALFORMED` for a path that
 * is not what percent-encoding makes.
 */
export function matchRoute(method: string, path: string): Match | undefined {
  const given = path.split('/')
  const found = lines.filter(({ segments }) => segments.length === given.length && segments.every((segment, at) => fits(segment, given[at] ?? '')))
  if (found.length === 0) return undefined
  const line = found.find(({ route }) => answersTo(route).includes(method))
  if (line === undefined) throw new MethodNotAllowed(path, [...new Set(found.flatMap(({ route }) => answersTo(route)))])
  return { id: line.id, route: line.route, parameters: parametersOf(line.segments, given) }
}

const isOpen = (segment: string): boolean => segment.startsWith('{')
const fits = (segment: string, given: string): boolean => (isOpen(segment) ? given !== '' : segment === given)

function parametersOf(segments: readonly string[], given: readonly string[]): Readonly<Record<string, string>> {
  try {
    return Object.fromEntries(
      segments.flatMap((segment, at) => (isOpen(segment) ? [[segment.slice(1, -1), decodeURIComponent(given[at] ?? '')] as const] : [])),
    )
  } catch (error) {
    throw new ManagementError('MALFORMED', 'The path is not percent-encoded as it should be.', { cause: error })
  }
}

/** RFC 9110 15.5.6: the answer names what is allowed. */
export class MethodNotAllowed extends ManagementError {
  readonly allow: string
  constructor(path: string, methods: readonly string[]) {
    const allow = methods.join(', ')
    super('METHOD_NOT_ALLOWED', `${path} answers ${allow}.`)
    this.allow = allow
  }
}
