import type { Problem } from './table.ts'

/** What the API refused, or what became of an operation that failed; also that nobody answers. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  /**
   * Stable; scripts go by it: the API's own, such as `VOLUME_EXISTS`, and the client's: `UNREACHABLE` (nobody answers), `CANCELLED` (the
   * operation was), `UNEXPECTED_ANSWER` (whoever answers is no Holdfast).
   */
  readonly code: string
  /** Of HTTP; 0 where there was no answer. */
  readonly status: number
  /** What is wrong with each field of the request. */
  readonly errors: readonly { readonly field: string; readonly message: string }[]
  /** Seconds after which the node wants to be asked again. */
  readonly retryAfterSeconds: number | undefined

  constructor(
    message: string,
    problem: Pick<Problem, 'code' | 'status' | 'errors'> & { readonly retryAfterSeconds?: number | undefined },
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.code = problem.code
    this.status = problem.status
    this.errors = problem.errors ?? []
    this.retryAfterSeconds = problem.retryAfterSeconds
  }
}

/** Of a problem as the API words it. */
export const errorOf = (problem: Problem): ApiError => new ApiError(problem.detail || problem.title, problem)

/** Of an answer that is no success. Whatever is in it. */
export async function errorOfResponse(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => '')
  const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN)
  const base = { status: response.status, ...(Number.isFinite(retryAfter) && { retryAfterSeconds: retryAfter }) }
  try {
    const { code, detail, errors, title } = JSON.parse(text) as Partial<Problem>
    if (typeof code === 'string') return new ApiError(detail || (title ?? code), { code, ...base, ...(errors && { errors }) })
    return new ApiError(detail ?? `the node answers ${response.status}`, { code: `HTTP_${response.status}`, ...base })
  } catch {
    return new ApiError(`the answer is ${response.status} ${response.statusText}`.trim(), { code: `HTTP_${response.status}`, ...base })
  }
}
