// Opens a data directory with planted formats and says how far it is, until it is killed or done: `upgradingProgram.ts PATH`.

import pino from "pino";
import { Gateway } from "../../../gateway/gateway.ts";
import { slowFormats } from "./slowFormats.ts";

const [path] = process.argv.slice(2);
const tell = (text: string): void => void process.send?.(text);
const logger = pino(
  { level: "info" },
  { write: (line: string) => tell((JSON.parse(line) as { msg: string }).msg) },
);
const options = { logger, now: () => new Date(), version: "0.0.0-test" };
tell("ready");
const gateway = await Gateway.open(path as string, { ...options, formats: slowFormats, upgrades: true });
await gateway.close();
process.disconnect();
