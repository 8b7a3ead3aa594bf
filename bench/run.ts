/**
 * `npm run bench`: our server and Samba's smbd side by side, on the same machine, with the same clients.
 *
 *     npm run bench [-- OPTIONS]
 *       --rounds N          rounds of each figure, ours and smbd in turns (default 5)
 *       --only REGEX        only figures whose name matches
 *       --json FILE         all values, for scripts
 *       --mib N --files N --reads N --entries N     sizes (default 1024, 2000, 20000, 100000)
 *       --workers N         worker nodes of our server (default: its own)
 *       --server-cpus LIST --client-cpus LIST       pin both with taskset: less noise where a client and a server compete
 *       --ours-only         no comparison: where smbd is missing, or not root
 *
 * Data is in memory (/dev/shm). Needs smbclient; for the comparison smbd and root; for small operations gcc and libsmbclient-dev.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { temporaryFolder } from '../testing/peers/folder.ts'
import { missing } from '../testing/peers/packages.ts'
import { startSamba } from '../testing/peers/samba.ts'
import { alice, startServer } from '../testing/peers/server.ts'
import { compare, tableHead, tableLine } from './compare.ts'
import type { Comparison } from './compare.ts'
import { buildSmallOperations, figures, prepare } from './figures.ts'
import type { Contender } from './figures.ts'

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
    mib: { type: 'string', default: '1024' },
    files: { type: 'string', default: '2000' },
    reads: { type: 'string', default: '20000' },
    entries: { type: 'string', default: '100000' },
    workers: { type: 'string' },
    'server-cpus': { type: 'string' },
    'client-cpus': { type: 'string' },
    'ours-only': { type: 'boolean', default: false },
  },
})
const sizes = { mebibytes: Number(options.mib), files: Number(options.files), reads: Number(options.reads), entries: Number(options.entries) }
const gibibyte = 1024 ** 3

const lacking = missing('smbclient', ...(options['ours-only'] ? [] : (['smbd', 'smbpasswd', 'root'] as const)))
if (lacking !== false) {
  console.error(lacking)
  process.exit(2)
}

await using disposables = new AsyncDisposableStack()
const folder = disposables.use(temporaryFolder('bench', { needBytes: 6 * gibibyte }))
const built = await buildSmallOperations(folder)
if ('missing' in built) console.log(`small operations are left out: ${built.missing} is missing`)

mkdirSync(folder.at('ours'))
const serverCpus = options['server-cpus'] === undefined ? {} : { cpus: options['server-cpus'] }
const workers = options.workers === undefined ? {} : { workers: Number(options.workers) }
const server = disposables.use(await startServer({ shares: { bench: folder.at('ours') }, ...serverCpus, ...workers }))
const contenders: Contender[] = [{ name: 'ours', endpoint: server.smb, share: 'bench', folder: folder.at('ours'), account: alice }]
if (!options['ours-only']) {
  const samba = disposables.use(await startSamba({ bench: 'default' }, serverCpus))
  contenders.push({ name: 'smbd', endpoint: samba.smb, share: 'bench', folder: samba.folderOf('bench'), account: samba.accounts[0] })
}
for (const contender of contenders) await prepare(contender, sizes)

const chosen = figures({
  sizes,
  folder,
  smallOperations: 'missing' in built ? undefined : built.program,
  clientCpus: options['client-cpus'],
}).filter(({ name }) => new RegExp(options.only).test(name))
console.log(`${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.versions.node}; ${options.rounds} rounds, medians\n`)
console.log(tableHead)
const results: Comparison[] = []
for (const figure of chosen) {
  const result = await compare(figure, contenders, Number(options.rounds))
  results.push(result)
  console.log(tableLine(result))
}
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify({ sizes, results }, undefined, 2)}\n`)
