// Whatever comes out of /dev/fuse, the driver answers each request once, in the form that its kind has, and goes on.
//
// The other end of a socket pair plays the kernel, through the real channel: requests with fields that lie, cut off or
// drawn out, in any order, for nodes that are known, forgotten or made up.

import { constants } from "node:os";
import { afterEach, beforeEach, expect, it } from "vitest";
import * as abi from "../../../fs/fuse/kernel/abi.ts";
import { FuseChannel } from "../../../fs/fuse/kernel/channel.ts";
import { FuseSession } from "../../../fs/fuse/kernel/session.ts";
import { randomFrom } from "../../fidelity/random.ts";
import { type MemoryNode, MemoryView } from "../memoryView.ts";
import { DeviceStandIn, type Reply } from "./deviceStandIn.ts";
import { keptLog } from "./mounting.ts";
import { nastyTree } from "./nastyTree.ts";

const { Opcode } = abi;
const seed = Number(process.env.HOLDFAST_SEED ?? 7);
const rounds = Number(process.env.HOLDFAST_REQUESTS ?? 12_000);
const replyMax = abi.MAX_PAGES * abi.PAGE_BYTES;

let device: DeviceStandIn;
let channel: FuseChannel;
let session: FuseSession;
let log: ReturnType<typeof keptLog>;
let view: MemoryView;

beforeEach(() => {
  device = new DeviceStandIn();
  view = new MemoryView(nastyTree().root);
  log = keptLog();
  session = new FuseSession(view, { logger: log });
  channel = new FuseChannel(device.server, (bytes) => session.receive(bytes));
  session.attach(channel);
});
afterEach(async () => {
  await channel.close();
  device.close();
});

function request(opcode: number, unique: number, nodeId: number, body: Uint8Array): Buffer {
  const bytes = Buffer.alloc(abi.IN_HEADER_BYTES + body.length);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt32LE(opcode, 4);
  bytes.writeBigUInt64LE(BigInt(unique), 8);
  bytes.writeBigUInt64LE(BigInt(nodeId), 16);
  bytes.set(body, abi.IN_HEADER_BYTES);
  return bytes;
}

/** The lengths that a good answer to this request may have: exactly one, or at most one. */
function lengthFits(opcode: number, body: Buffer, length: number): boolean {
  const claimed = (at: number): number => (body.length >= at + 4 ? body.readUInt32LE(at) : 0);
  switch (opcode) {
    case Opcode.lookup:
      return length === abi.ENTRY_OUT_BYTES;
    case Opcode.getattr:
      return length === abi.ATTR_OUT_BYTES;
    case Opcode.readlink:
      return length < abi.PAGE_BYTES;
    case Opcode.open:
    case Opcode.opendir:
      return length === 16;
    case Opcode.read:
    case Opcode.readdir:
    case Opcode.readdirplus:
      return length <= Math.min(replyMax, claimed(16));
    case Opcode.getxattr:
    case Opcode.listxattr:
      return claimed(0) === 0 ? length === 8 : length <= claimed(0);
    case Opcode.statfs:
      return length === 80;
    case Opcode.init:
      return length === 64;
    case Opcode.lseek:
      return length === 8;
    default:
      return length === 0;
  }
}

it(`answers each request once and in its form, whatever it holds (seed ${seed})`, async () => {
  const random = randomFrom(seed);
  const pick = <T>(list: readonly T[]): T => list[random.below(list.length)] as T;
  const opcodes = Object.values(Opcode);
  const nodes = new Set([abi.ROOT_NODE_ID]);
  const names = [
    "snapshot",
    "content",
    "sparse",
    "huge",
    "link",
    "many",
    "attributes",
    "none",
    "",
    "..",
    "\xff",
  ];
  const numbers = [
    0n,
    1n,
    2n,
    4095n,
    65_536n,
    300_000n,
    2n ** 31n,
    2n ** 32n - 1n,
    2n ** 53n,
    2n ** 63n,
    2n ** 64n - 1n,
  ];
  const counts = [0n, 1n, 1n, 1n, 2n, 2n ** 64n - 1n];
  const open = new Map<number, { readonly opcode: number; readonly body: Buffer; readonly nodeId: number }>();
  let replied = 0;
  let failed = 0;
  const seen = new Map<number, number>();

  const take = (replies: readonly Reply[]): void => {
    for (const { unique, error, body } of replies) {
      const asked = open.get(unique);
      if (asked === undefined) throw new Error(`a second or uncalled-for reply to ${unique}`);
      open.delete(unique);
      replied++;
      if (error !== 0) {
        failed++;
        continue;
      }
      seen.set(asked.opcode, (seen.get(asked.opcode) ?? 0) + 1);
      if (!lengthFits(asked.opcode, asked.body, body.length))
        throw new Error(`${body.length} bytes for opcode ${asked.opcode}: ${asked.body.toString("hex")}`);
      if (asked.opcode === Opcode.lookup && body.readBigUInt64LE(0) !== 0n)
        nodes.add(Number(body.readBigUInt64LE(0)));
    }
  };

  /** A body as the kernel makes it, of random fields. */
  const wellFormed = (opcode: number): Buffer => {
    const out = Buffer.alloc(64);
    if (opcode === Opcode.lookup) return Buffer.from(`${pick(names)}\0`, "latin1");
    if (opcode === Opcode.getxattr) {
      out.writeUInt32LE(pick([0, 1, 6, 1000, 2 ** 32 - 1]), 0);
      return Buffer.concat([
        out.subarray(0, 8),
        Buffer.from(pick(["user.note\0", "user.note\0", "user.none\0", "\0"])),
      ]);
    }
    if (opcode === Opcode.batchForget) {
      const rows = Buffer.alloc(8 + 16 * 3);
      rows.writeUInt32LE(pick([0, 3, 4, 2 ** 32 - 1]), 0);
      for (let row = 8; row < rows.length; row += 16) {
        rows.writeBigUInt64LE(BigInt(pick([...nodes])), row);
        rows.writeBigUInt64LE(pick(counts), row + 8);
      }
      return rows;
    }
    if (opcode === Opcode.listxattr) out.writeUInt32LE(pick([0, 1, 64, 2 ** 32 - 1]), 0);
    else if (opcode === Opcode.interrupt) out.writeBigUInt64LE(BigInt(pick([...open.keys(), 1, 2 ** 40])), 0);
    else if (opcode === Opcode.init) {
      out.writeUInt32LE(pick([6, 7, 8]), 0);
      out.writeUInt32LE(pick([0, 12, 31, 44]), 4);
      out.writeUInt32LE(pick([0, 131_072, 2 ** 32 - 1]), 8);
      out.writeUInt32LE(pick([0, 2 ** 32 - 1]), 12);
    } else {
      out.writeBigUInt64LE(pick(numbers), 8);
      out.writeUInt32LE(pick([0, 1, 3, 4, 24, 152, 4096, 1 << 20, 2 ** 32 - 1]), 16);
      if (opcode === Opcode.forget) out.writeBigUInt64LE(pick(counts), 0);
    }
    return out;
  };

  for (let round = 0; round < rounds; round++) {
    if (round % 40 === 0) {
      // What was forgotten meanwhile is known again, under new ids.
      nodes.clear();
      nodes.add(abi.ROOT_NODE_ID);
      const children = view.root.children?.get("snapshot")?.children;
      for (const name of ["content", "attributes", "huge", "many", "link"])
        nodes.add(session.objects.nodes.remember(children?.get(name) as MemoryNode).nodeId);
      nodes.add(session.objects.nodes.remember(view.root.children?.get("snapshot") as MemoryNode).nodeId);
    }
    const unique = 2 * (round + 1);
    const opcode = random.below(20) === 0 ? random.below(2 ** 32) : pick(opcodes);
    const nodeId = pick([...nodes, 0, 2 ** 40, 2 ** 53 - 1]);
    let body = wellFormed(opcode);
    const twist = random.below(8);
    if (twist === 0) body = body.subarray(0, random.below(body.length + 1));
    if (twist === 1) body = random.bytes(random.below(300));
    if (twist === 2) body = Buffer.concat([body, random.bytes(random.below(5000))]);
    const bytes = request(opcode, unique, nodeId, body);
    if (random.below(50) === 0) bytes.writeUInt32LE(random.below(2 ** 32), 0);
    const heard = bytes.readUInt32LE(0) === bytes.length;
    if (heard && !abi.silentOpcodes.has(opcode)) open.set(unique, { opcode, body, nodeId });
    device.send(bytes);
    if (random.below(5) === 0) take(await device.settled());
    else take(device.replies());
  }
  take(await device.settled());
  expect([...open]).toEqual([]);
  // The draw must have reached what it is to try.
  const answered = [Opcode.lookup, Opcode.read, Opcode.readdir, Opcode.readdirplus, Opcode.getxattr];
  for (const opcode of answered) expect(seen.get(opcode), `opcode ${opcode}`).toBeGreaterThan(2);
  expect(failed).toBeGreaterThan(100);
  expect(replied).toBeGreaterThan(rounds / 2);
  // Nodes are held for what was looked up, and all of them go again.
  expect(session.objects.nodes.size).toBeLessThan(10_100);
  for (let id = 2; id < 200_000; id++) session.objects.nodes.forget(id, Number.MAX_SAFE_INTEGER);
  expect(session.objects.nodes.size).toBe(1);
});

it("says nothing to what wants no reply, however malformed", async () => {
  let unique = 0;
  for (const opcode of abi.silentOpcodes) {
    for (const length of [0, 7, 8, 16, 100]) {
      unique += 2;
      device.send(request(opcode, unique, 1, Buffer.alloc(length, 0xff)));
    }
  }
  expect(await device.settled()).toEqual([]);
  device.send(request(Opcode.getattr, 1000, 1, Buffer.alloc(16)));
  expect((await device.settled()).map((reply) => reply.unique)).toEqual([1000]);
});

it("answers an interrupted request once, at once, and drops what comes later", async () => {
  const { promise: stalled, resolve: release } = Promise.withResolvers<void>();
  view.beforeRead = () => stalled;
  view.beforeLookup = () => stalled;
  const snapshot = view.root.children?.get("snapshot");
  const content = session.objects.nodes.remember(snapshot?.children?.get("content") as MemoryNode).nodeId;
  const read = Buffer.alloc(40);
  read.writeUInt32LE(4096, 16);
  const count = 200;
  for (let index = 0; index < count; index++) {
    const even = index % 2 === 0;
    const body = even ? read : Buffer.from("name\0");
    device.send(request(even ? Opcode.read : Opcode.lookup, 2 * (index + 1), even ? content : 1, body));
  }
  expect(await device.settled()).toEqual([]);
  for (let index = 0; index < count; index++) {
    const which = Buffer.alloc(8);
    which.writeBigUInt64LE(BigInt(2 * (index + 1)));
    // Twice: the second time there is nothing left to interrupt.
    device.send(request(Opcode.interrupt, 2 * (index + 1) + 1, 0, which));
    device.send(request(Opcode.interrupt, 2 * (index + 1) + 1, 0, which));
  }
  const replies = await device.settled();
  expect(replies.map(({ unique }) => unique).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: count }, (_, index) => 2 * (index + 1)),
  );
  expect(new Set(replies.map(({ error }) => error))).toEqual(new Set([-constants.errno.EINTR]));
  release();
  expect(await device.settled()).toEqual([]);
  // The places of the stalled reads are free again.
  view.beforeRead = () => {};
  device.send(request(Opcode.read, 100_000, content, read));
  expect((await device.settled()).map(({ body }) => body.length)).toEqual([4096]);
});
