/** Numbers of bpf(2) (linux/bpf.h). */

/** Types of maps. */
export const BPF_MAP_TYPE_HASH = 1
export const BPF_MAP_TYPE_ARRAY = 2
export const BPF_MAP_TYPE_PERCPU_HASH = 5
export const BPF_MAP_TYPE_PERCPU_ARRAY = 6
export const BPF_MAP_TYPE_LRU_HASH = 9
export const BPF_MAP_TYPE_LRU_PERCPU_HASH = 10
export const BPF_MAP_TYPE_LPM_TRIE = 11

/** Flags of a new map: its elements are allocated when they are needed, not beforehand. */
export const BPF_F_NO_PREALLOC = 1
/** An array whose values a process may have in its memory (`BpfMap.memory`). */
export const BPF_F_MMAPABLE = 0x400

/** Flags of an update: make or change; make only (-EEXIST); change only (-ENOENT). */
export const BPF_ANY = 0
export const BPF_NOEXIST = 1
export const BPF_EXIST = 2

/** Types of programs. */
export const BPF_PROG_TYPE_SOCKET_FILTER = 1
export const BPF_PROG_TYPE_SCHED_CLS = 3
export const BPF_PROG_TYPE_SYSCALL = 31

/** Flags of a new program: it may sleep. Those of type SYSCALL have to. */
export const BPF_F_SLEEPABLE = 16

/** What a tc program says about a packet. */
export const TC_ACT_OK = 0
export const TC_ACT_SHOT = 2
export const TC_ACT_REDIRECT = 7
/** Of tcx: the next program decides. */
export const TCX_NEXT = -1

/** f_type of statfs(2). */
export const BPF_FS_MAGIC = 0xcafe4a11
