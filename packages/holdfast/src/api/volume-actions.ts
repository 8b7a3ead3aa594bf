/** What the API does to volumes. */

import type { ActionContext, Actions, Asked, OperationKind, ResultOf } from '@holdfast/management'
import { parseVolumeOptions, splitOptions } from '../config/volumes.ts'
import type { VolumeContent } from '../volumes/content.ts'
import { ImageError, imageSizeOf } from '../volumes/image.ts'
import { isAsRequested, volumeRequestOf, volumeSizeOf } from '../volumes/request.ts'
import type { VolumeService } from '../volumes/service.ts'
import type { VolumeRequest, VolumeView } from '../volumes/volume.ts'
import { orDone } from './again.ts'
import { validated } from './invalid.ts'

/** What the actions work with. */
export interface VolumeActionsOptions {
  readonly service: VolumeService
  readonly content: VolumeContent
}

type VolumeKind = Extract<OperationKind, `volume.${string}` | `snapshot.${string}`>

/** What is kept of the making of a volume: it is there, by this operation, and filled up to there. */
interface MadeUpTo {
  readonly made: true
  readonly offset: number
}

/** Copied between two looks at whether to go on, and kept as done. */
const partBytes = 64 << 20
/** Nobody may log in while there is not yet what there shall be. */
const nobody: VolumeRequest['access'] = { readOnly: false, noAuth: false, users: [] }

/** By the kind of operation. */
export function volumeActions({ service, content }: VolumeActionsOptions): Pick<Actions, VolumeKind> {
  return {
    'volume.create': {
      check: async ({ body }) => void (await requested(body)),
      async run({ body }, context) {
        const request = await requested(body)
        if (body.image === undefined) return volumeResult(await make(service, request, context))
        await make(service, { ...request, access: nobody }, context)
        await fill(content, { volume: request.name, path: body.image }, context)
        return volumeResult(await service.setAccess(request.name, request.access))
      },
      async undo({ body }, { checkpoint }) {
        // One that it had not made is somebody else's.
        if (isMade(checkpoint)) await orDone(service.delete(body.name), 'UNKNOWN_VOLUME')
      },
    },
    'volume.change': {
      check: ({ body }) => void validated(() => changeOf(body)),
      async run({ parameters: { name }, body }) {
        const { sizeBytes, access } = changeOf(body)
        let view = await service.get(name)
        // Twice is as once: both say what shall be.
        if (sizeBytes !== undefined && sizeBytes !== view.sizeBytes) view = await service.resize(name, sizeBytes)
        if (access !== undefined) view = await service.setAccess(name, access)
        return volumeResult(view)
      },
    },
    'volume.delete': {
      async run({ parameters: { name } }, { again }) {
        await orDone(service.delete(name), again && 'UNKNOWN_VOLUME')
        return null
      },
    },
    'snapshot.create': {
      async run({ parameters: { name }, body }, { again }) {
        await orDone(service.createSnapshot(name, body.name), again && 'SNAPSHOT_EXISTS')
        const { snapshots } = await service.get(name)
        return snapshots.find(snapshot => snapshot.name === body.name)!
      },
    },
    'snapshot.delete': {
      async run({ parameters: { name, snapshot } }, { again }) {
        await orDone(service.deleteSnapshot(name, snapshot), again && 'UNKNOWN_SNAPSHOT')
        return null
      },
    },
  }
}

/** As the API tells it. */
export const volumeResult = (view: VolumeView): ResultOf<'volume.show'> => ({ ...view, options: [...view.options], snapshots: [...view.snapshots] })

/** Throws what `validated` throws, and ImageError. */
async function requested(body: Asked<'volume.create'>['body']): Promise<VolumeRequest> {
  if (body.image === undefined) return validated(() => volumeRequestOf(body))
  if (body.from !== undefined) throw new ImageError('a volume begins with a snapshot or with an image, not with both')
  const imageBytes = await imageSizeOf(body.image)
  const request = validated(() => volumeRequestOf({ ...body, size: body.size ?? imageBytes }))
  if ((request.sizeBytes ?? 0) < imageBytes)
    throw new ImageError(`the image has ${imageBytes} bytes, more than the size; make the size larger, or leave it out`)
  return request
}

const isMade = (checkpoint: unknown): checkpoint is MadeUpTo => (checkpoint as Partial<MadeUpTo> | undefined)?.made === true

async function make(service: VolumeService, request: VolumeRequest, context: ActionContext): Promise<VolumeView> {
  const there = context.again ? await orDone(service.get(request.name), 'UNKNOWN_VOLUME') : undefined
  const volume = there !== undefined && isAsRequested(there, request) ? there : await service.create(request)
  if (!isMade(context.checkpoint)) context.progress({ percent: 0, checkpoint: { made: true, offset: 0 } satisfies MadeUpTo })
  return volume
}

async function fill(content: VolumeContent, image: { readonly volume: string; readonly path: string }, context: ActionContext): Promise<void> {
  const imageBytes = await imageSizeOf(image.path)
  let offset = isMade(context.checkpoint) ? context.checkpoint.offset : 0
  while (offset < imageBytes) {
    context.signal.throwIfAborted()
    const next = await content.copyImage({ ...image, offset, lengthBytes: partBytes })
    if (next === offset) throw new ImageError(`${image.path} has become shorter while it was copied`)
    offset = next
    context.progress({ percent: (100 * offset) / imageBytes, note: 'copying the image', checkpoint: { made: true, offset } satisfies MadeUpTo })
  }
}

function changeOf(body: Asked<'volume.change'>['body']): { readonly sizeBytes?: number; readonly access?: VolumeRequest['access'] } {
  const sizeBytes = body.size === undefined ? {} : { sizeBytes: volumeSizeOf(body.size) }
  if (body.options === undefined) return sizeBytes
  // The rest is what the volume was made with.
  const { access } = splitOptions(parseVolumeOptions(body.options, { key: 'options', isOption: true }))
  return { ...sizeBytes, access }
}
