// Descriptors over a socket: what arrives is handed over or closed, whatever was sent, and nothing waits.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, fstatSync, openSync, readdirSync, readlinkSync, readSync, writeSync } from "node:fs";
import koffi from "koffi";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type DescriptorPair, descriptorReceiver } from "../../../agent/platform/descriptorReceiver.ts";
import { allocateBlock } from "../../../agent/platform/libc.ts";

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const sendmsg = koffi.load(null).func("sendmsg", "int64", ["int", "uintptr_t", "int"]) as (
  ...numbers: number[]
) => number;

/** Sends one byte with a control message of these 32-bit words. */
function send(socket: number, level: number, type: number, words: readonly number[]): void {
  const control = allocateBlock(16 + Math.ceil(words.length / 2) * 8);
  control.view.setBigUint64(0, BigInt(16 + words.length * 4), true);
  control.view.setInt32(8, level, true);
  control.view.setInt32(12, type, true);
  for (const [index, word] of words.entries()) control.view.setInt32(16 + index * 4, word, true);
  const data = allocateBlock(1);
  const piece = allocateBlock(16);
  piece.view.setBigUint64(0, BigInt(data.address), true);
  piece.view.setBigUint64(8, 1n, true);
  const message = allocateBlock(56);
  message.view.setBigUint64(16, BigInt(piece.address), true);
  message.view.setBigUint64(24, 1n, true);
  message.view.setBigUint64(32, BigInt(control.address), true);
  message.view.setBigUint64(40, BigInt(control.bytes.length), true);
  expect(sendmsg(socket, message.address, 0)).toBe(1);
}

/** What every descriptor of this process is, without the one that lists them. */
function openDescriptors(): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [`${fd} ${readlinkSync(`/proc/self/fd/${fd}`)}`];
    } catch {
      return [];
    }
  });
}

function closesOnExec(fd: number): boolean {
  const info = openSync(`/proc/self/fdinfo/${fd}`, "r");
  const text = Buffer.alloc(1024);
  const length = readSync(info, text);
  closeSync(info);
  return (
    (Number.parseInt(/flags:\s*(\d+)/.exec(text.toString("latin1", 0, length))?.[1] ?? "", 8) & 0o2000000) !==
    0
  );
}

const receiver = descriptorReceiver();

describe.skipIf(receiver === undefined)("receiving descriptors", () => {
  let before: string[];
  let file: number;
  let pair: DescriptorPair;

  beforeEach(() => {
    receiver?.openPair().close(); // the first use loads the C library
    before = openDescriptors();
    file = openSync("/proc/version", "r");
    pair = (receiver as NonNullable<typeof receiver>).openPair();
  });

  afterEach(() => {
    pair.close();
    pair.close();
    closeSync(file);
    expect(openDescriptors()).toEqual(before);
  });

  test("one is handed over, as the same open file and closed on exec", () => {
    expect(pair.take()).toBeUndefined();
    send(pair.childEnd, SOL_SOCKET, SCM_RIGHTS, [file]);
    const taken = pair.take();
    if (taken === undefined) throw new Error("nothing came");
    expect(taken).not.toBe(file);
    expect(fstatSync(taken).ino).toBe(fstatSync(file).ino);
    expect(closesOnExec(taken)).toBe(true);
    expect(closesOnExec(pair.childEnd)).toBe(true);
    closeSync(taken);
    expect(pair.take()).toBeUndefined();
  });

  test("more than one is refused, and all are closed", () => {
    for (const count of [2, 3, 4, 5, 20]) {
      const open = openDescriptors().length;
      send(pair.childEnd, SOL_SOCKET, SCM_RIGHTS, new Array<number>(count).fill(file));
      expect(() => pair.take()).toThrow(/EINVAL/);
      expect(openDescriptors().length).toBe(open);
    }
  });

  test("plain bytes and a closed other end are nothing", () => {
    writeSync(pair.childEnd, "only bytes");
    expect(pair.take()).toBeUndefined();
    expect(pair.take()).toBeUndefined();
  });

  test("one that nobody takes goes with the pair", () => {
    send(pair.childEnd, SOL_SOCKET, SCM_RIGHTS, [file]);
  });

  test("a child process passes one, and a child that dies passes none", async () => {
    // Node's own channel to its parent is such a socket: it sends handles the way fusermount3 sends its descriptor.
    const program = `const s = require("node:net").createServer().listen(0, "127.0.0.1", () => process.send("x", s, {}, () => process.exit()))`;
    const run = (code: string): Promise<unknown> => {
      const env = { ...process.env, NODE_CHANNEL_FD: "3", NODE_CHANNEL_SERIALIZATION_MODE: "json" };
      const stdio = ["ignore", "ignore", "inherit", pair.childEnd] as const;
      return once(spawn(process.execPath, ["-e", code], { env, stdio: [...stdio] }), "exit");
    };
    await run("process.kill(process.pid, 'SIGKILL')");
    expect(pair.take()).toBeUndefined();
    await run(program);
    const taken = pair.take();
    if (taken === undefined) throw new Error("nothing came");
    expect(fstatSync(taken).isSocket()).toBe(true);
    closeSync(taken);
  });
});

test("there is none on the portable platform", () => {
  const { HOLDFAST_PLATFORM } = process.env;
  process.env.HOLDFAST_PLATFORM = "portable";
  try {
    expect(descriptorReceiver()).toBeUndefined();
  } finally {
    if (HOLDFAST_PLATFORM === undefined) delete process.env.HOLDFAST_PLATFORM;
    else process.env.HOLDFAST_PLATFORM = HOLDFAST_PLATFORM;
  }
});
