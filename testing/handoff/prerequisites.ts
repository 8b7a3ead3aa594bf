/** What the suites in network namespaces need. */
import { missing } from '../peers/packages.ts'
import { topologyUnavailable } from './topology.ts'

const absent = missing('root', 'nginx', 'curl', 'ip', 'nsenter', 'nft')

/** For `{ skip }`: false, or what is missing. */
export const skip: string | false = absent === false ? topologyUnavailable() : absent
