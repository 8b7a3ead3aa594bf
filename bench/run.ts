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
 *       --shares KINDS      plain, synchronous or both (default): synchronous is a continuously available share beside smbd with
 *                           `strict sync = yes` and `sync always = yes`
 *
 * Data is in memory (/dev/shm). Needs smbclient; for the comparison smbd and root; for small operations gcc and libsmbclient-dev.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { temporaryFolder } from '../testing/peers/folder.ts'
import { missing } from '../testing/peers/packages.ts'
import { startSamba } from '../testing/peers/samba.ts'
import { alice, startServer } from '../testing/peers/server.ts'
import { parseOptions } from '../testing/run/options.ts'
import { compare, tableHead, tableLine } from './compare.ts'
import type { Comparison } from './compare.ts'
import { buildSmallOperations, figures, prepare } from './figures.ts'
import type { Contender } from './figures.ts'

const { values: options } = parseOptions(import.meta.url, {
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
    shares: { type: 'string', default: 'plain,synchronous' },
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

mkdirSync(folder.at('plain'))
mkdirSync(folder.at('synchronous'))
const serverCpus = options['server-cpus'] === undefined ? {} : { cpus: options['server-cpus'] }
const workers = options.workers === undefined ? {} : { workers: Number(options.workers) }
const ourShares = { plain: folder.at('plain'), synchronous: `${folder.at('synchronous')},continuous-availability` }
const server = disposables.use(await startServer({ shares: ourShares, ...serverCpus, ...workers }))
const samba = options['ours-only'] ? undefined : disposables.use(await startSamba({ plain: 'default', synchronous: 'synchronous' }, serverCpus))

const contendersFor = (share: string): Contender[] => [
  { side: 'ours', endpoint: server.smb, share, folder: folder.at(share), account: alice },
  ...(samba === undefined ? [] : [{ side: 'peer', endpoint: samba.smb, share, folder: samba.folderOf(share), account: samba.accounts[0] } as const]),
]
const chosen = figures({
  sizes,
  folder,
  smallOperations: 'missing' in built ? undefined : built.program,
  clientCpus: options['client-cpus'],
}).filter(({ name }) => new RegExp(options.only).test(name))
console.log(`${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.versions.node}; ${options.rounds} rounds, medians`)

const titles: Readonly<Record<string, string>> = {
  plain: 'a share as it comes',
  synchronous: 'a continuously available share, and smbd with "strict sync = yes" and "sync always = yes"',
}
const results: (Comparison & { readonly share: string })[] = []
for (const share of options.shares.split(',')) {
  const contenders = contendersFor(share)
  for (const contender of contenders) await prepare(contender, sizes)
  console.log(`\n${titles[share] ?? share}\n${tableHead('smbd')}`)
  for (const figure of chosen) {
    const result = await compare(figure, contenders, Number(options.rounds))
    results.push({ share, ...result })
    console.log(tableLine(result))
  }
}
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify({ sizes, results }, undefined, 2)}\n`)
