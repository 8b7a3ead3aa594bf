/** wkssvc: the Workstation Service Remote Protocol (MS-WKST); clients ask it who the server is. */

import { type NdrType, struct, u32, union, unique, wideString } from './ndr.ts'
import { operation, type RpcService, winError } from './service.ts'

/** What wkssvc may know of the server it speaks for. */
export interface WkssvcView {
  readonly serverName: string
  /** Workgroup or domain. */
  readonly domainName: string
  readonly version?: { readonly major: number; readonly minor: number }
}

const text = unique(wideString)
const info100 = { platform: u32, name: text, group: text, major: u32, minor: u32 }
/** WKSTA_INFO_* (MS-WKST 2.2.5.1, 2.2.5.2). */
const levels = {
  100: unique(struct(info100)) as NdrType<never>,
  101: unique(struct({ ...info100, lanRoot: text })) as NdrType<never>,
}

/** The wkssvc interface of one server. */
export function wkssvc(view: WkssvcView): RpcService {
  const { major, minor } = view.version ?? { major: 10, minor: 0 }
  return {
    name: 'wkssvc',
    uuid: '6bffd098-a112-3610-9833-46c3f87e345a',
    majorVersion: 1,
    minorVersion: 0,
    operations: {
      0: operation({
        name: 'NetrWkstaGetInfo',
        input: { serverName: unique(wideString), level: u32 },
        output: { info: union(u32, levels), status: u32 },
        handle({ level }) {
          if (!Object.hasOwn(levels, level)) return { info: { level, value: null }, status: winError.invalidLevel }
          const value = { platform: 500, name: view.serverName, group: view.domainName, major, minor, lanRoot: '' }
          return { info: { level, value }, status: winError.success }
        },
      }),
    },
  }
}
