// Worker thread of passwordHash.ts: one bcrypt after the other, when nothing else wants the processor.
//
// The system's priorities count among threads of one session or service only, so each answer also says whether this thread had to wait for a
// processor.

import { readlinkSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import { bcrypt, bcryptVerify } from "hash-wasm";
import type { BcryptAnswer, BcryptRequest } from "./passwordHash.ts";

async function run(request: BcryptRequest): Promise<string | boolean> {
  const { password } = request;
  if ("hash" in request) return await bcryptVerify({ password, hash: request.hash });
  return await bcrypt({ password, salt: request.salt, costFactor: request.cost, outputType: "encoded" });
}

/** Linux takes a thread's number for setpriority(2); elsewhere the thread stays as it is. */
function giveWay(): void {
  try {
    const thread = Number(/\/task\/(?<thread>\d+)$/.exec(readlinkSync("/proc/thread-self"))?.groups?.thread);
    if (thread > 0) setPriority(thread, constants.priority.PRIORITY_LOW);
  } catch {
    // No such file, or not allowed: a slower backup, and nothing worse.
  }
}

/** A hash that took so many times its processor time had to share. */
const sharedMin = 1.1;

giveWay();
parentPort?.on("message", async (request: BcryptRequest) => {
  const { id } = request;
  const since = process.threadCpuUsage();
  const began = performance.now();
  let answer: BcryptAnswer;
  try {
    const result = await run(request);
    const { user, system } = process.threadCpuUsage(since);
    const tookMs = performance.now() - began;
    answer = { id, result, tookMs, shared: tookMs * 1000 > (user + system) * sharedMin };
  } catch (error) {
    answer = { id, error: String(error) };
  }
  parentPort?.postMessage(answer);
});
