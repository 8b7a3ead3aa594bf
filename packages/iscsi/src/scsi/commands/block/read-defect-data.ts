/** READ DEFECT DATA (SBC-4 5.22, 5.23): there are no defects that an initiator would have to know of. */
import type { Command } from '../../command.ts'
import { length10, length12 } from '../../cdb.ts'
import { goodDataIn } from '../../results.ts'

/** REQ_PLIST, REQ_GLIST and DEFECT LIST FORMAT come back as they were, now as PLISTV, GLISTV and format. */
const header = (lengthBytes: number, request: number): Buffer => {
  const data = Buffer.alloc(lengthBytes)
  data[1] = request & 0x1f
  return data
}

/** Rows of the table. */
export const readDefectDataCommands: readonly Command[] = [
  {
    name: 'READ DEFECT DATA (10)',
    opcode: 0x37,
    clause: 'SBC-4 5.22',
    usage: '37 00 1f 00000000 ffff 00',
    access: 'read',
    execute: task => goodDataIn(task, header(4, task.cdb[2]), length10(task.cdb)),
  },
  {
    name: 'READ DEFECT DATA (12)',
    opcode: 0xb7,
    clause: 'SBC-4 5.23',
    usage: 'b7 1f ffffffff ffffffff 00 00',
    access: 'read',
    execute: task => goodDataIn(task, header(8, task.cdb[1]), length12(task.cdb)),
  },
]
