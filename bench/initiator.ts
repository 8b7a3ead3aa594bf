/**
 * `node bench/initiator.ts`: our iSCSI initiator beside libiscsi's (`iscsi-perf`), both reading 4 KiB at random with 32 reads under way from the same
 * tgt, in turns. Needs tgt, libiscsi-bin and root. tgt is one thread and may be what limits both: the processor time of our reads is printed beside.
 *
 *     node bench/initiator.ts [--rounds 5] [--seconds 3] [--server-cpus 0] [--client-cpus 1]
 *
 * `--client-cpus` is for iscsi-perf; start the script itself with `taskset -c` to keep ours there too.
 */
import { connectDisk } from '@holdfast/iscsi/initiator'
import type { IscsiDisk } from '@holdfast/iscsi/initiator'
import { runCommand } from '../testing/peers/command.ts'
import { missing } from '../testing/peers/packages.ts'
import { startTgt } from '../testing/peers/tgt.ts'
import { parseOptions } from '../testing/run/options.ts'

const { values: options } = parseOptions(import.meta.url, {
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    'server-cpus': { type: 'string', default: '0' },
    'client-cpus': { type: 'string', default: '1' },
  },
})
const lacking = missing('tgtd', 'iscsi-test-cu', 'root')
if (lacking !== false) {
  console.error(lacking)
  process.exit(2)
}

const readBytes = 4096
const depth = 32
const mebibyte = 1 << 20
const sizeBytes = 256 * mebibyte
const seconds = Number(options.seconds)

/** Reads a second, and microseconds of processor time for each. */
async function ours(disk: IscsiDisk): Promise<{ rate: number; cpuUs: number }> {
  const cpu = process.cpuUsage()
  const begin = performance.now()
  const end = begin + seconds * 1000
  let reads = 0
  const reader = async (): Promise<void> => {
    const into = Buffer.alloc(readBytes)
    for (; performance.now() < end; reads++) await disk.read(Math.floor((Math.random() * sizeBytes) / readBytes) * readBytes, into)
  }
  await Promise.all(Array.from({ length: depth }, reader))
  const { user, system } = process.cpuUsage(cpu)
  return { rate: (reads / (performance.now() - begin)) * 1000, cpuUs: (user + system) / reads }
}

async function theirs(url: string): Promise<number> {
  const words = ['-c', options['client-cpus'], 'iscsi-perf', '-r', '-m', String(depth), '-b', String(readBytes / 512), '-t', String(seconds), url]
  const { stdout } = await runCommand('taskset', words, { timeoutMs: (seconds + 10) * 1000 })
  const averages = [...stdout.matchAll(/iops average (\d+)/g)].map(match => Number(match[1]))
  const last = averages.at(-1)
  if (last === undefined) throw new Error(`iscsi-perf printed: ${stdout}`)
  return last
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]

await using tgt = await startTgt({ sizeBytes, cpus: options['server-cpus'] })
await using disk = await connectDisk({ host: tgt.host, port: tgt.port, target: tgt.target, lun: tgt.lun })
const piece = Buffer.alloc(mebibyte, 7)
for (let offset = 0; offset < sizeBytes; offset += mebibyte) await disk.write(offset, piece)
await ours(disk)
const rounds: { ours: number; cpuUs: number; theirs: number }[] = []
for (let round = 0; round < Number(options.rounds); round++) {
  const own = await ours(disk)
  rounds.push({ ours: own.rate, cpuUs: own.cpuUs, theirs: await theirs(`iscsi://${tgt.host}:${tgt.port}/${tgt.target}/${tgt.lun}`) })
}
const print = (name: string, values: readonly number[], unit: string, digits = 0): void =>
  console.log(
    `${name.padEnd(24)} ${[Math.min(...values), median(values), Math.max(...values)].map(value => value.toFixed(digits).padStart(9)).join(' ')} ${unit}`,
  )
console.log(`${''.padEnd(24)} ${['min', 'median', 'max'].map(head => head.padStart(9)).join(' ')}`)
print(
  'ours',
  rounds.map(round => round.ours),
  'reads/s',
)
print(
  'iscsi-perf',
  rounds.map(round => round.theirs),
  'reads/s',
)
print(
  'ours / iscsi-perf',
  rounds.map(round => round.ours / round.theirs),
  '',
  2,
)
print(
  'ours, processor',
  rounds.map(round => round.cpuUs),
  'us/read',
  1,
)
