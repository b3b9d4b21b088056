// node rangeReads.ts URL SIZE COUNT BYTES SEED: gets BYTES bytes at COUNT random places of what is behind a URL, over one connection
// that is kept, and prints {"reads":N,"seconds":S} as JSON. BENCH_AUTHORIZATION is sent as it is. The certificate is not looked at:
// the server is on the loopback interface and was started a moment ago.

import { type IncomingMessage, Agent as PlainAgent, get as plain } from "node:http";
import { Agent, get } from "node:https";
import { performance } from "node:perf_hooks";
import { seededRandom } from "../random.ts";

const [url = "", size = "", count = "", bytes = "", seed = ""] = process.argv.slice(2);
const length = Number(bytes);
const blocks = Math.floor(Number(size) / length);
const random = seededRandom(seed);
const authorization = process.env.BENCH_AUTHORIZATION;
const secure = url.startsWith("https:");
const agent = secure
  ? new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false })
  : new PlainAgent({ keepAlive: true, maxSockets: 1 });

function request(range: string): Promise<IncomingMessage> {
  const headers = { range, ...(authorization === undefined ? {} : { authorization }) };
  return new Promise((resolve, reject) => {
    (secure ? get : plain)(url, { agent, headers }, resolve).on("error", reject);
  });
}

const started = performance.now();
for (let read = 0; read < Number(count); read++) {
  const at = random.integer(blocks) * length;
  const response = await request(`bytes=${at}-${at + length - 1}`);
  let got = 0;
  for await (const piece of response) got += (piece as Buffer).length;
  if (response.statusCode !== 206 || got !== length) {
    throw new Error(`status ${response.statusCode} with ${got} bytes instead of 206 with ${length}`);
  }
}
const seconds = (performance.now() - started) / 1000;
agent.destroy();
process.stdout.write(`${JSON.stringify({ reads: Number(count), seconds })}\n`);
