/** Linux's numbers of sockets (sys/socket.h, netinet/in.h, linux/tcp.h), the same on x86-64 and arm64. */
export { MSG_DONTWAIT, MSG_MORE, MSG_NOSIGNAL, MSG_PEEK } from './constants.ts'

export const AF_UNIX = 1
export const AF_INET = 2
export const AF_INET6 = 10
export const AF_NETLINK = 16
export const AF_PACKET = 17

export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const SOCK_RAW = 3
export const SOCK_NONBLOCK = 0x800
export const SOCK_CLOEXEC = 0x80000

export const IPPROTO_IP = 0
export const IPPROTO_ICMP = 1
export const IPPROTO_TCP = 6
export const IPPROTO_UDP = 17
export const IPPROTO_IPV6 = 41
export const IPPROTO_ICMPV6 = 58
/** The sender writes the IP header itself (IPv4; with IPv6 it is `IPV6_HDRINCL`). */
export const IPPROTO_RAW = 255

export const MSG_TRUNC = 0x20
export const MSG_ERRQUEUE = 0x2000

export const SHUT_RD = 0
export const SHUT_WR = 1
export const SHUT_RDWR = 2

/** Level of the options of any socket. */
export const SOL_SOCKET = 1
export const SO_REUSEADDR = 2
export const SO_ERROR = 4
/** When each datagram came (`DatagramBatch.arrivedMs`): a struct timespec of the system's clock. */
export const SO_TIMESTAMPNS = 35
export const SO_BROADCAST = 6
export const SO_SNDBUF = 7
export const SO_RCVBUF = 8
export const SO_KEEPALIVE = 9
/** UDP over IPv4 without a checksum. */
export const SO_NO_CHECK = 11
export const SO_LINGER = 13
export const SO_REUSEPORT = 15
export const SO_BINDTODEVICE = 25
export const SO_ATTACH_FILTER = 26
export const SO_ACCEPTCONN = 30
export const SO_SNDBUFFORCE = 32
export const SO_RCVBUFFORCE = 33
export const SO_MARK = 36
export const SO_DOMAIN = 39
export const SO_INCOMING_CPU = 49
export const SO_NETNS_COOKIE = 71

export const IP_TOS = 1
export const IP_TTL = 2
export const IP_HDRINCL = 3
export const IP_PKTINFO = 8
export const IP_MTU_DISCOVER = 10
export const IP_RECVERR = 11
export const IP_MTU = 14
export const IP_FREEBIND = 15
export const IP_TRANSPARENT = 19
export const IP_BIND_ADDRESS_NO_PORT = 24
/** Values of `IP_MTU_DISCOVER`: fragments where the path needs them; DF always, whatever the path's MTU is known to be. */
export const IP_PMTUDISC_DONT = 0
export const IP_PMTUDISC_DO = 2
export const IP_PMTUDISC_PROBE = 3

export const IPV6_UNICAST_HOPS = 16
export const IPV6_MTU_DISCOVER = 23
export const IPV6_MTU = 24
export const IPV6_RECVERR = 25
export const IPV6_V6ONLY = 26
export const IPV6_HDRINCL = 36
export const IPV6_RECVPKTINFO = 49
export const IPV6_TRANSPARENT = 75
export const IPV6_FREEBIND = 78
/** Level SOL_ICMPV6 (58): which types a raw socket gets. */
export const ICMPV6_FILTER = 1
/** Level SOL_RAW (255): which types a raw ICMP socket gets. */
export const ICMP_FILTER = 1

export const TCP_NODELAY = 1
export const TCP_MAXSEG = 2
export const TCP_DEFER_ACCEPT = 9
export const TCP_INFO = 11
export const TCP_QUICKACK = 12
export const TCP_CONGESTION = 13
export const TCP_USER_TIMEOUT = 18
export const TCP_REPAIR = 19
export const TCP_REPAIR_QUEUE = 20
export const TCP_QUEUE_SEQ = 21
export const TCP_REPAIR_OPTIONS = 22
export const TCP_FASTOPEN = 23
export const TCP_TIMESTAMP = 24
export const TCP_SAVE_SYN = 27
export const TCP_SAVED_SYN = 28
export const TCP_REPAIR_WINDOW = 29
/** Values of `TCP_REPAIR`; the last ends it without the probe of the peer's window. */
export const TCP_REPAIR_ON = 1
export const TCP_REPAIR_OFF = 0
export const TCP_REPAIR_OFF_NO_WP = -1
/** Values of `TCP_REPAIR_QUEUE`. */
export const TCP_NO_QUEUE = 0
export const TCP_RECV_QUEUE = 1
export const TCP_SEND_QUEUE = 2

export const UDP_SEGMENT = 103
export const UDP_GRO = 104
/** UDP over IPv6 without a checksum: may be sent, may come (RFC 6935). */
export const UDP_NO_CHECK6_TX = 101
export const UDP_NO_CHECK6_RX = 102

/** Link types (linux/if_arp.h): Ethernet has a header of 14 bytes; tunnels and point-to-point links have none. */
export const ARPHRD_ETHER = 1
export const ARPHRD_LOOPBACK = 772
export const ARPHRD_NONE = 0xfffe

/** Events of epoll_ctl(2). */
export const EPOLLIN = 0x1
export const EPOLLPRI = 0x2
export const EPOLLOUT = 0x4
export const EPOLLERR = 0x8
export const EPOLLHUP = 0x10
export const EPOLLRDHUP = 0x2000
/** One thread of those that wait for it is woken. */
export const EPOLLEXCLUSIVE = 0x1000_0000
export const EPOLLONESHOT = 0x4000_0000
/** Told once for each change, not for as long as it lasts. */
export const EPOLLET = 0x8000_0000
