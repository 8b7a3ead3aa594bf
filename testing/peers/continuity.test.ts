import { failoverCases, cases } from '../continuity/cases/index.ts'
import { suiteOfFailovers, suiteOfOurs, suiteOfTable, suiteOfTheirs } from '../continuity/suite.ts'
import { startOurs, startTheirs } from '../continuity/target.ts'
import { missing } from './packages.ts'

suiteOfTable([...cases, ...failoverCases])
suiteOfOurs('continuity of handles', cases, startOurs)
suiteOfFailovers("continuity of handles through the end of the server's process", failoverCases, startOurs)
suiteOfTheirs(
  "continuity of handles, asked of Samba's smbd",
  cases,
  startTheirs,
  missing('smbd', 'smbpasswd', 'smbclient', 'samba-vfs-modules', 'root'),
)
