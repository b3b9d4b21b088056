// Worker thread of passwordHash.ts: one bcrypt after the other.

import { parentPort } from "node:worker_threads";
import { bcrypt, bcryptVerify } from "hash-wasm";
import type { BcryptAnswer, BcryptRequest } from "./passwordHash.ts";

async function run(request: BcryptRequest): Promise<string | boolean> {
  const { password } = request;
  if ("hash" in request) return await bcryptVerify({ password, hash: request.hash });
  return await bcrypt({ password, salt: request.salt, costFactor: request.cost, outputType: "encoded" });
}

parentPort?.on("message", async (request: BcryptRequest) => {
  const { id } = request;
  let answer: BcryptAnswer;
  try {
    answer = { id, result: await run(request) };
  } catch (error) {
    answer = { id, error: String(error) };
  }
  parentPort?.postMessage(answer);
});
