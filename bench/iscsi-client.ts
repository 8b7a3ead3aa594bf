/**
 * `node bench/iscsi-client.ts JSON`: one measurement of `bench/iscsi.ts` with our initiator, in a process of its own so that it can be kept on a
 * processor. Prints how many seconds it took. libiscsi, which QEMU uses, has no data digests.
 */
import { connectDisk } from '@holdfast/iscsi/initiator'

interface Task {
  readonly host: string
  readonly port: number
  readonly target: string
  readonly lun: number
  readonly isWrite: boolean
  readonly depth: number
  readonly blockBytes: number
  readonly stepBytes: number
  readonly count: number
}

const task = JSON.parse(process.argv[2] ?? '{}') as Task
const { host, port, target, lun } = task
await using disk = await connectDisk({ host, port, target, lun, headerDigest: 'required', dataDigest: 'required' })

let next = 0
async function worker(): Promise<void> {
  const buffer = Buffer.alloc(task.blockBytes, 90)
  while (next < task.count) {
    const offset = (next++ * task.stepBytes) % (disk.sizeBytes - task.blockBytes)
    await (task.isWrite ? disk.write(offset, buffer) : disk.read(offset, buffer))
  }
}

const begin = performance.now()
await Promise.all(Array.from({ length: task.depth }, worker))
console.log((performance.now() - begin) / 1000)
