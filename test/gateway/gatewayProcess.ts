// A gateway process for crash tests: ARGV is the data directory and the bytes at which packs are closed.

import pino from "pino";
import { RunningGateway } from "../../gateway/runningGateway.ts";

const [path = "", packBytesTarget = "0"] = process.argv.slice(2);
const running = await RunningGateway.start(path, {
  logger: pino({ level: process.env.TEST_LOG ?? "silent" }),
  now: () => new Date(),
  version: "0.0.0-test",
  packBytesTarget: Number(packBytesTarget),
});
process.send?.(running.url);
