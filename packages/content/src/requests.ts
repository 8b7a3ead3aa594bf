/** How requests for content are cut. */

import { type HttpFraming, requestFraming, requestHeadLimits, type RequestLimits } from '@holdfast/http'

/** Content that a request has although it is for nothing, so that the connection can go on behind it. */
const contentBytesMax = 64 << 10

/** Of requests for content: a target may name any file. */
export const requestLimits: RequestLimits = { ...requestHeadLimits, contentBytesMax }

/** For listeners; with `distributed: true`. */
export const contentFraming: HttpFraming = requestFraming(requestLimits)
