// Whatever bytes come, the parser answers with a request or with its one typed error, and the session survives.

import fc from "fast-check";
import { expect, it } from "vitest";
import { IN_HEADER_BYTES, Opcode, silentOpcodes } from "../../../fs/fuse/kernel/abi.ts";
import type { FuseChannel } from "../../../fs/fuse/kernel/channel.ts";
import { parseBody, parseHeader } from "../../../fs/fuse/kernel/request.ts";
import { FuseSession } from "../../../fs/fuse/kernel/session.ts";
import { isHoldfastError } from "../../../vault/errors.ts";
import { MemoryView } from "../memoryView.ts";
import { keptLog } from "./mounting.ts";
import { nastyTree } from "./nastyTree.ts";

const nastyTreeOnce = nastyTree().root;
const opcode = fc.oneof(fc.constantFrom(...Object.values(Opcode)), fc.integer({ min: 0, max: 2 ** 32 - 1 }));

/** Requests with a right header and any body, for nodes that mostly exist. */
const framed = fc
  .tuple(opcode, fc.integer({ min: 1, max: 4 }), fc.uint8Array({ maxLength: 200 }), fc.boolean())
  .map(([code, nodeId, body, lie]) => {
    const bytes = Buffer.alloc(IN_HEADER_BYTES + body.length);
    bytes.writeUInt32LE(lie ? bytes.length + 1 : bytes.length, 0);
    bytes.writeUInt32LE(code, 4);
    bytes.writeUInt32LE(2, 8);
    bytes.writeUInt32LE(nodeId, 16);
    bytes.set(body, IN_HEADER_BYTES);
    return bytes;
  });
const anyBytes = fc.oneof(
  framed,
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
);

it("throws nothing but corrupt", () => {
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      try {
        parseBody(bytes, parseHeader(bytes).opcode);
      } catch (error) {
        expect(isHoldfastError(error, "corrupt")).toBe(true);
      }
    }),
    { numRuns: 5000 },
  );
});

it("keeps nothing of the buffer", () => {
  const bytes = Buffer.concat([Buffer.alloc(IN_HEADER_BYTES), Buffer.from("name\0")]);
  const body = parseBody(bytes, Opcode.lookup);
  bytes.fill(0);
  expect(body).toEqual({ op: "lookup", name: Buffer.from("name") });
});

it("lets a session answer everything at most once and survive", async () => {
  await fc.assert(
    fc.asyncProperty(anyBytes, async (bytes) => {
      const session = new FuseSession(new MemoryView(nastyTreeOnce), { logger: keptLog() });
      const replies: number[] = [];
      const channel = { reply: (unique: number) => void replies.push(unique), notify: async () => {} };
      session.attach(channel as unknown as FuseChannel);
      session.receive(Buffer.from(bytes));
      await new Promise((done) => setImmediate(done));
      await new Promise((done) => setImmediate(done));
      const heard = bytes.length >= IN_HEADER_BYTES && bytes.readUInt32LE(0) === bytes.length;
      const numbersFit = heard && [12, 20].every((high) => bytes.readUInt32LE(high) < 2 ** 21);
      // Without a header that can be read there is nobody to answer.
      if (!numbersFit) expect(replies).toEqual([]);
      else expect(replies.length).toBe(silentOpcodes.has(bytes.readUInt32LE(4)) ? 0 : 1);
    }),
    { numRuns: 1000 },
  );
});
