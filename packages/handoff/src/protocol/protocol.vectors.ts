/** One message of each type, taken apart and as bytes; sealed with the key of 32 bytes of 0x0b. */
import { hex } from '@holdfast/wire'
import type { Message } from './codec.ts'
import { MessageType } from './messages.ts'

/** What the vectors are sealed with. */
export const vectorKey: Buffer = Buffer.alloc(32, 0x0b)

/** A message both ways; `mac` is in the bytes. */
export interface Vector {
  readonly title: string
  readonly message: Omit<Message, 'mac'>
  readonly bytes: Buffer
}

const none = Buffer.alloc(0)
const client = hex('00000000 00000000 0000ffff c0000209')
const vip = hex('20010db8 00000000 00000000 00000064')

/** All types. */
export const vectors: readonly Vector[] = [
  {
    title: 'HANDOFF',
    message: {
      type: MessageType.handoff,
      session: 0x1234567890,
      sequence: 1,
      values: [
        {
          connection: 0x100000001,
          generation: 1,
          client,
          vip,
          clientPort: 50000,
          vipPort: 80,
          clientSequenceNext: 0x11121314,
          serverSequenceNext: 0x21222324,
          tsDirector: 0x31323334,
          tsClient: 0x41424344,
          sendWindow: 65535,
          receiveWindow: 64240,
          mss: 1460,
          options: 7,
          clientScale: 7,
          directorScale: 10,
          flags: 0,
          requestBytes: 18,
        },
      ],
      payload: Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    },
    bytes: hex(`
      48464f31 01000062 // magic, type, length
      00000012 34567890 00000000 00000001 // session, sequence
      d736d391 3ca8a301 b383112b 79d262f1 // MAC
      00000001 00000001 00000001 00000000 00000000 0000ffff c0000209 20010db8
      00000000 00000000 00000064 c3500050 11121314 21222324 31323334 41424344
      0000ffff 0000faf0 05b40707 0a000012 47455420 2f204854 54502f31 2e310d0a
      0d0a`),
  },
  {
    title: 'ACCEPT of two',
    message: {
      type: MessageType.accept,
      session: 0x1234567890,
      sequence: 2,
      values: [
        { connection: 1, generation: 1 },
        { connection: 2, generation: 3 },
      ],
      payload: none,
    },
    bytes: hex(`
      48464f31 02000018 // magic, type, length
      00000012 34567890 00000000 00000002 // session, sequence
      93b5ed7f c35f6bf5 8f15f1db 33bc939f // MAC
      00000000 00000001 00000001 00000000 00000002 00000003`),
  },
  {
    title: 'REFUSE',
    message: { type: MessageType.refuse, session: 0x1234567890, sequence: 3, values: [{ connection: 1, generation: 1, reason: 3 }], payload: none },
    bytes: hex(`
      48464f31 03000010 // magic, type, length
      00000012 34567890 00000000 00000003 // session, sequence
      c4b91b59 89672a51 bcae72b8 8de61a4a // MAC
      00000000 00000001 00000001 00000003`),
  },
  {
    title: 'CONTINUE',
    message: {
      type: MessageType.continue,
      session: 0x1234567890,
      sequence: 4,
      values: [
        {
          connection: 1,
          generation: 1,
          sequence: 0x51525354,
          acknowledgement: 0x61626364,
          tsVal: 0x71727374,
          tsEcr: 0x81828384,
          window: 501,
          flags: 24,
        },
      ],
      payload: Buffer.from('abc'),
    },
    bytes: hex(`
      48464f31 04000023 // magic, type, length
      00000012 34567890 00000000 00000004 // session, sequence
      2320b751 5abe1e72 f32b7a92 6412d85b // MAC
      00000000 00000001 00000001 51525354 61626364 71727374 81828384 01f51800
      616263`),
  },
  {
    title: 'RELEASE',
    message: {
      type: MessageType.release,
      session: 0x1234567890,
      sequence: 5,
      values: [{ connection: 1, generation: 1, clientAck: 0x91929394, flags: 1 }],
      payload: none,
    },
    bytes: hex(`
      48464f31 05000014 // magic, type, length
      00000012 34567890 00000000 00000005 // session, sequence
      33cc3b20 1618873a f3a360a4 188a5f93 // MAC
      00000000 00000001 00000001 91929394 00000001`),
  },
  {
    title: 'CLOSED of one',
    message: {
      type: MessageType.closed,
      session: 0x1234567890,
      sequence: 6,
      values: [{ connection: 2 ** 53 - 1, generation: 0xffffffff }],
      payload: none,
    },
    bytes: hex(`
      48464f31 0600000c // magic, type, length
      00000012 34567890 00000000 00000006 // session, sequence
      de20c51c 0f22ad7d ea061910 aaa3b580 // MAC
      001fffff ffffffff ffffffff`),
  },
  {
    title: 'WHO_HAS',
    message: {
      type: MessageType.whoHas,
      session: 0x1234567890,
      sequence: 7,
      values: [{ client, vip, clientPort: 50000, vipPort: 80 }],
      payload: none,
    },
    bytes: hex(`
      48464f31 07000024 // magic, type, length
      00000012 34567890 00000000 00000007 // session, sequence
      20c750af 8b003a35 d2bd83ef 4b5b9a4a // MAC
      00000000 00000000 0000ffff c0000209 20010db8 00000000 00000000 00000064
      c3500050`),
  },
  {
    title: 'OWNER',
    message: {
      type: MessageType.owner,
      session: 0x1234567890,
      sequence: 8,
      values: [
        {
          connection: 1,
          generation: 2,
          client,
          vip,
          clientPort: 50000,
          vipPort: 80,
          receiveWindow: 64240,
          mss: 1460,
          options: 5,
          clientScale: 7,
          directorScale: 10,
        },
      ],
      payload: none,
    },
    bytes: hex(`
      48464f31 0800003c // magic, type, length
      00000012 34567890 00000000 00000008 // session, sequence
      a487717d d1e120ed 8d8d66a4 34b8fdef // MAC
      00000000 00000001 00000002 00000000 00000000 0000ffff c0000209 20010db8
      00000000 00000000 00000064 c3500050 0000faf0 05b40507 0a000000`),
  },
  {
    title: 'HELLO',
    message: { type: MessageType.hello, session: 0, sequence: 0, values: [{ director: 0xa1a2a3a4a5, nonce: 0xb1b2b3b4b5 }], payload: none },
    bytes: hex(`
      48464f31 09000010 // magic, type, length
      00000000 00000000 00000000 00000000 // session, sequence
      65971f9b 68426e79 160aeaa8 6e0f6515 // MAC
      000000a1 a2a3a4a5 000000b1 b2b3b4b5`),
  },
  {
    title: 'WELCOME',
    message: {
      type: MessageType.welcome,
      session: 0x1234567890,
      sequence: 1,
      values: [{ nonce: 0xb1b2b3b4b5, server: client, serverPort: 8080, capacity: 131072 }],
      payload: none,
    },
    bytes: hex(`
      48464f31 0a000020 // magic, type, length
      00000012 34567890 00000000 00000001 // session, sequence
      8e3afb10 856e215e 87fef58d f8e7fe00 // MAC
      000000b1 b2b3b4b5 00000000 00000000 0000ffff c0000209 1f900000 00020000`),
  },
  {
    title: 'HEARTBEAT',
    message: { type: MessageType.heartbeat, session: 0x1234567890, sequence: 9, values: [{ connections: 0 }], payload: none },
    bytes: hex(`
      48464f31 0b000008 // magic, type, length
      00000012 34567890 00000000 00000009 // session, sequence
      847dc382 d67f4e59 5a9aef0b 7208b4d3 // MAC
      00000000 00000000`),
  },
  {
    title: 'BUSY',
    message: { type: MessageType.busy, session: 0x1234567890, sequence: 10, values: [{ connection: 1, generation: 1 }], payload: none },
    bytes: hex(`
      48464f31 0c00000c // magic, type, length
      00000012 34567890 00000000 0000000a // session, sequence
      7847590e 30309bdb 5dcccd77 195bab27 // MAC
      00000000 00000001 00000001`),
  },
  {
    title: 'RELEASED of one',
    message: { type: MessageType.released, session: 0x1234567890, sequence: 11, values: [{ connection: 1, generation: 1 }], payload: none },
    bytes: hex(`
      48464f31 0d00000c // magic, type, length
      00000012 34567890 00000000 0000000b // session, sequence
      b1069219 fba53b71 f03ba58f f4d3d513 // MAC
      00000000 00000001 00000001`),
  },
  {
    title: 'STRANGER',
    message: { type: MessageType.stranger, session: 0x1234567890, sequence: 0, values: [], payload: none },
    bytes: hex(`
      48464f31 0e000000 // magic, type, length
      00000012 34567890 00000000 00000000 // session, sequence
      b8eed0c4 9c089fa0 cdeae501 dd955d61 // MAC`),
  },
  {
    title: 'ALIVE',
    message: { type: MessageType.alive, session: 0x1234567890, sequence: 12, values: [{ connections: 1000 }], payload: none },
    bytes: hex(`
      48464f31 0f000008 // magic, type, length
      00000012 34567890 00000000 0000000c // session, sequence
      45b5e861 2121f0a6 263228de f8accf15 // MAC
      000003e8 00000000`),
  },
]
