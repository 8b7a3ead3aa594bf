/** `/v1/volumes`: managing volumes by HTTP, whatever it comes over. */

import { isDeepStrictEqual } from 'node:util'
import { type HttpRequest, type HttpResponse, problem } from '@holdfast/management'
import { badValue, ConfigError, type Origin } from '../config/errors.ts'
import { volumeNameAllowed, volumeNamePattern } from '../config/names.ts'
import { parseVolumeOptions, parseVolumeSize, volumeOptionWords, volumeSizeAllowed } from '../config/volumes.ts'
import type { VolumeService } from '../volumes/service.ts'
import type { SnapshotName, VolumeRequest, VolumeView } from '../volumes/volume.ts'

/** What a handler has of a request. */
interface Asked {
  readonly service: VolumeService
  /** The parts of the path that the route leaves open. */
  readonly names: readonly string[]
  readonly body: Readonly<Record<string, unknown>>
  /** Somebody may have begun with it, and died. */
  readonly again: boolean
}

interface Route {
  readonly path: RegExp
  readonly methods: Readonly<Record<string, (asked: Asked) => Promise<HttpResponse>>>
}

const json = (status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): HttpResponse => ({
  status,
  contentType: 'application/json',
  body: `${JSON.stringify(value)}\n`,
  headers,
})
const done: HttpResponse = { status: 204, contentType: 'application/json', body: '' }
/** Of a volume or a snapshot: nothing that would have to be encoded. */
const name = '([a-z0-9.-]+)'

const routes: readonly Route[] = [
  {
    path: /^\/v1\/volumes$/,
    methods: {
      GET: async ({ service }) => json(200, { items: await service.list(), next: null }),
      async POST({ service, body, again }) {
        const volume = volumeRequest(body)
        const made = await orSame(
          () => service.create(volume),
          again && 'VOLUME_EXISTS',
          async () => asRequested(await service.get(volume.name), volume),
        )
        return json(201, made, { Location: `/v1/volumes/${volume.name}` })
      },
    },
  },
  {
    path: new RegExp(`^/v1/volumes/${name}$`),
    methods: {
      GET: async ({ service, names: [volume = ''] }) => json(200, await service.get(volume)),
      PATCH: async ({ service, names: [volume = ''], body }) => json(200, await change(service, volume, body)),
      async DELETE({ service, names: [volume = ''], again }) {
        await orGone(() => service.delete(volume), again && 'UNKNOWN_VOLUME')
        return done
      },
    },
  },
  {
    path: new RegExp(`^/v1/volumes/${name}/snapshots$`),
    methods: {
      GET: async ({ service, names: [volume = ''] }) => json(200, { items: (await service.get(volume)).snapshots, next: null }),
      async POST({ service, names: [volume = ''], body, again }) {
        const snapshot = textOf(body, 'name', volumeNameAllowed)
        const find = async () => (await service.get(volume)).snapshots.find(({ name }) => name === snapshot)
        const made = await orSame(() => service.createSnapshot(volume, snapshot), again && 'SNAPSHOT_EXISTS', find)
        return json(201, made, { Location: `/v1/volumes/${volume}/snapshots/${snapshot}` })
      },
    },
  },
  {
    path: new RegExp(`^/v1/volumes/${name}/snapshots/${name}$`),
    methods: {
      async DELETE({ service, names: [volume = '', snapshot = ''], again }) {
        await orGone(() => service.deleteSnapshot(volume, snapshot), again && 'UNKNOWN_SNAPSHOT')
        return done
      },
    },
  },
]

/** Makes; where it may have been made already, and `code` says that there is one, that one is as good if it is `found`. */
async function orSame<T>(make: () => Promise<T>, code: string | false, found: () => Promise<T | undefined>): Promise<T> {
  try {
    return await make()
  } catch (error) {
    const same = code !== false && codeOf(error) === code ? await found() : undefined
    if (same === undefined) throw error
    return same
  }
}

/** Deletes; where it may have been deleted already, and `code` says that there is none, that is as good. */
async function orGone(remove: () => Promise<void>, code: string | false): Promise<void> {
  try {
    await remove()
  } catch (error) {
    if (code === false || codeOf(error) !== code) throw error
  }
}

/** A volume that is there already, if it is what is asked for. */
function asRequested(found: VolumeView, { sizeBytes = found.sizeBytes, blockBytes, access }: VolumeRequest): VolumeView | undefined {
  const options = volumeOptionWords({ ...access, ...(blockBytes === 4096 && { blockBytes }) })
  return found.sizeBytes === sizeBytes && isDeepStrictEqual(found.options, options) ? found : undefined
}

async function change(service: VolumeService, volume: string, body: Asked['body']) {
  checkKeys(body, ['size', 'options'])
  const { size, options } = body
  if (options !== undefined) await service.setAccess(volume, accessOf(options))
  return size === undefined ? service.get(volume) : service.resize(volume, sizeOf(size))
}

function accessOf(options: unknown): VolumeRequest['access'] {
  const { blockBytes, ...access } = optionsOf(options)
  if (blockBytes !== undefined) throw badValue(at('options'), `block-size=${blockBytes}`, 'what a volume was made with: leave block-size out')
  return access
}

const at = (key: string): Origin => ({ key, isOption: true })
const missing = (key: string, allowed: string): ConfigError => new ConfigError(`${key} is missing; allowed: ${allowed}`)

function checkKeys(body: Asked['body'], known: readonly string[]): void {
  const unknown = Object.keys(body).find(key => !known.includes(key))
  if (unknown !== undefined) throw new ConfigError(`there is no key "${unknown}"; allowed: ${known.join(', ')}`)
}

function textOf(body: Asked['body'], key: string, allowed: string): string {
  const value = body[key]
  if (value === undefined) throw missing(key, allowed)
  if (typeof value !== 'string' || !volumeNamePattern.test(value)) throw badValue(at(key), value, allowed)
  return value
}

function sizeOf(value: unknown): number {
  if (value === undefined) throw missing('size', volumeSizeAllowed)
  const bytes = typeof value === 'string' || typeof value === 'number' ? parseVolumeSize(value) : undefined
  if (bytes === undefined) throw badValue(at('size'), value, volumeSizeAllowed)
  return bytes
}

function optionsOf(value: unknown = []) {
  if (!Array.isArray(value) || !value.every(word => typeof word === 'string')) throw badValue(at('options'), value, 'a list of texts')
  return parseVolumeOptions(value, at('options'))
}

/** `disk0@before-upgrade` */
export function parseSnapshotName(text: unknown): SnapshotName | undefined {
  const [volume = '', snapshot = '', ...rest] = typeof text === 'string' ? text.split('@') : []
  return rest.length === 0 && volumeNamePattern.test(volume) && volumeNamePattern.test(snapshot) ? { volume, snapshot } : undefined
}

function volumeRequest(body: Asked['body']): VolumeRequest {
  checkKeys(body, ['name', 'size', 'options', 'from'])
  const { blockBytes, ...access } = optionsOf(body['options'])
  const from = body['from'] === undefined ? undefined : parseSnapshotName(body['from'])
  if (body['from'] !== undefined && from === undefined) throw badValue(at('from'), body['from'], 'VOLUME@SNAPSHOT')
  return {
    name: textOf(body, 'name', volumeNameAllowed),
    ...((from === undefined || body['size'] !== undefined) && { sizeBytes: sizeOf(body['size']) }),
    ...(blockBytes !== undefined && { blockBytes }),
    ...(from && { from }),
    access,
  }
}

/** HTTP statuses of `volumeErrorCodes`, and of requests that say what is not allowed; 500 for everything else. */
const statuses: Readonly<Record<string, number>> = {
  CONFIG: 400,
  INVALID_NAME: 400,
  INVALID_SIZE: 400,
  INVALID_OPTION: 400,
  UNKNOWN_VOLUME: 404,
  UNKNOWN_SNAPSHOT: 404,
  VOLUME_EXISTS: 409,
  SNAPSHOT_EXISTS: 409,
  SIZE_TOO_SMALL: 409,
  SNAPSHOTS_UNSUPPORTED: 409,
  CLOSED: 503,
  NOT_OWNER: 503,
  WORKER_LOST: 503,
  NO_SPACE: 507,
}

/** A request that this many workers have died of is not tried on another one. */
const attemptsMax = 3

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'FAILED')

/** Never rejects: problems are answers (RFC 9457), with the error's `code` as a member. */
export async function answerVolumeRequest(request: HttpRequest, { service, again }: Pick<Asked, 'service' | 'again'>): Promise<HttpResponse> {
  const found = routes.map(({ path, methods }) => ({ match: path.exec(request.path), methods })).find(({ match }) => match !== null)
  if (found === undefined) return problem(404, `There is nothing at ${request.path}.`)
  const handler = Object.hasOwn(found.methods, request.method) ? found.methods[request.method] : undefined
  const allow = Object.keys(found.methods).join(', ')
  if (handler === undefined) return problem(405, `${request.path} answers ${allow}.`, { Allow: allow })
  const names = (found.match ?? []).slice(1)
  for (let attempt = 1; ; attempt++) {
    try {
      return await handler({ service, names, body: bodyOf(request), again: again || attempt > 1 })
    } catch (error) {
      const code = codeOf(error)
      // The worker that has the volume starts again: whatever it had done is found there.
      if (code === 'WORKER_LOST' && attempt < attemptsMax) continue
      return problem(statuses[code] ?? 500, error instanceof Error ? error.message : String(error), {}, { code })
    }
  }
}

function bodyOf({ content }: HttpRequest): Asked['body'] {
  if (content.length === 0) return {}
  let value: unknown
  try {
    value = JSON.parse(content.toString('utf8'))
  } catch (error) {
    throw new ConfigError('the content is not JSON', 'CONFIG', { cause: error })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ConfigError('the content is not a JSON object')
  return value as Asked['body']
}
