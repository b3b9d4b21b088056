// Loaded into a process of gateway or agent before the program (node --import): connections on which nothing moves are given up after
// HOLDFAST_TEST_IDLE_MS, and not after a minute or two.

import https from "node:https";
import { syncBuiltinESMExports } from "node:module";
import { serverLimits } from "../../gateway/api/server.ts";
import { channelLimits } from "../../ingest/wire/recordChannel.ts";

const idleMs = Number(process.env.HOLDFAST_TEST_IDLE_MS);
if (!(idleMs > 0)) throw new Error("HOLDFAST_TEST_IDLE_MS is not set");
Object.assign(serverLimits, { idleMs, keepAliveMs: idleMs });
Object.assign(channelLimits, { idleMs });
const { request } = https;
// What an agent asks with waits as long for an answer.
Object.assign(https, {
  request: (options: https.RequestOptions, ...more: []) => request({ ...options, timeout: idleMs }, ...more),
});
syncBuiltinESMExports();
