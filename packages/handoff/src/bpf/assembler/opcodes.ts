/** Numbers of instructions (Documentation/bpf/standardization/instruction-set.rst, RFC 9669) and helpers (linux/bpf.h). */

/** Classes of instructions (RFC 9669 3.1), the lowest three bits. */
export const Class = { ld: 0, ldx: 1, st: 2, stx: 3, alu: 4, jmp: 5, jmp32: 6, alu64: 7 } as const

/** What arithmetic does (RFC 9669 4.1), the highest four bits. */
export const Alu = {
  add: 0x00,
  sub: 0x10,
  mul: 0x20,
  div: 0x30,
  or: 0x40,
  and: 0x50,
  lsh: 0x60,
  rsh: 0x70,
  neg: 0x80,
  mod: 0x90,
  xor: 0xa0,
  mov: 0xb0,
  arsh: 0xc0,
  end: 0xd0,
} as const

/** When a jump is made (RFC 9669 4.3), the highest four bits. */
export const Jump = {
  ja: 0x00,
  jeq: 0x10,
  jgt: 0x20,
  jge: 0x30,
  jset: 0x40,
  jne: 0x50,
  jsgt: 0x60,
  jsge: 0x70,
  call: 0x80,
  exit: 0x90,
  jlt: 0xa0,
  jle: 0xb0,
  jslt: 0xc0,
  jsle: 0xd0,
} as const

/** Whether the second operand is the immediate or a register (RFC 9669 4). */
export const Source = { k: 0x00, x: 0x08 } as const

/** Sizes of memory accesses (RFC 9669 5). */
export const Size = { w: 0x00, h: 0x08, b: 0x10, dw: 0x18 } as const
/** How memory is accessed (RFC 9669 5): an immediate of 64 bits, as it is, at once. */
export const Mode = { imm: 0x00, mem: 0x60, atomic: 0xc0 } as const

/** What is done at once besides arithmetic, with what was there before as the result (RFC 9669 5.3). */
export const Atomic = { exchange: 0xe1, compareExchange: 0xf1 } as const

/** Sources of a 64-bit immediate (RFC 9669 5.4): a map by its descriptor. */
export const pseudoMapFd = 1

/** Helpers by their names without `bpf_` (linux/bpf.h). */
export const Helper = {
  map_lookup_elem: 1,
  map_update_elem: 2,
  map_delete_elem: 3,
  ktime_get_ns: 5,
  skb_store_bytes: 9,
  l3_csum_replace: 10,
  l4_csum_replace: 11,
  skb_vlan_push: 18,
  redirect: 23,
  skb_load_bytes: 26,
  csum_diff: 28,
  skb_change_head: 43,
  skb_adjust_room: 50,
  sk_lookup_tcp: 84,
  sk_release: 86,
  skc_lookup_tcp: 99,
  tcp_check_syncookie: 100,
  redirect_neigh: 152,
  check_mtu: 163,
  tcp_raw_gen_syncookie_ipv4: 204,
  tcp_raw_gen_syncookie_ipv6: 205,
} as const
/** Name of a helper. */
export type HelperName = keyof typeof Helper

/** Bytes of an instruction. */
export const instructionBytes = 8
