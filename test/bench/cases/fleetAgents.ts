// Uploads as many agents at once, as a program of its own: node fleetAgents.ts upload|ask SECONDS STATE...
//
// Each state folder is an enrolled device's. `upload`: each has a session, asks `have?` for what it is about to send, and sends new records of a
// mebibyte, eight in a body, as fast as they are taken. `ask`: one asks `have?` of 256 ids, ten times a second, and does nothing else, so that what it
// waits for is the gateway. The last line is what they did. Records are sealed once and get a new id each time: the gateway cannot tell.

import { randomBytes, randomFillSync } from "node:crypto";
import { performance } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { readEnrollment } from "../../../agent/state/enrollment.ts";
import { GatewayClient } from "../../../ingest/client/gatewayClient.ts";
import { VaultKeys } from "../../../vault/keys/vaultKeys.ts";
import { RecordType } from "../../../vault/magic.ts";
import { sealRecord } from "../../../vault/record.ts";

const [what = "", seconds = "0", ...states] = process.argv.slice(2);
const recordsPerBody = 8;
const recordBytes = 2 ** 20;
const idsPerHave = 256;
const askEveryMs = 100;
/** Where the id is in a record's header. */
const idAt = 24;

type Agent = { readonly client: GatewayClient; readonly session: string };

async function startAgent(state: string): Promise<Agent> {
  const { gateway, token, vault } = readEnrollment(state);
  const client = new GatewayClient({ ...gateway, token });
  const { id } = await client.putItem("fleet");
  const { session } = await client.startSession({ vault, item: id, highestSequence: 0 });
  return { client, session };
}

const noRefs = Buffer.alloc(0);
const sealed = sealRecord({
  keys: new VaultKeys({
    vaultId: randomBytes(16),
    s: randomBytes(32),
    epochs: new Map([[1, randomBytes(32)]]),
    currentEpoch: 1,
  }),
  group: 1,
  type: RecordType.data,
  plaintext: randomBytes(recordBytes),
  refs: noRefs,
});

/** Bytes that were acknowledged until the end. */
async function upload({ client, session }: Agent, endMs: number): Promise<number> {
  const records = Array.from({ length: recordsPerBody }, () => Buffer.from(sealed));
  let bytes = 0;
  while (performance.now() < endMs) {
    const ids = records.map((record) => randomFillSync(record, idAt, 32).subarray(idAt, idAt + 32));
    await client.have(session, ids);
    await client.records(session, records);
    bytes += recordsPerBody * sealed.length;
  }
  return bytes;
}

/** Milliseconds of each `have?`. */
async function ask({ client, session }: Agent, endMs: number): Promise<number[]> {
  const took: number[] = [];
  while (performance.now() < endMs) {
    const ids = Array.from({ length: idsPerHave }, () => randomBytes(32));
    const started = performance.now();
    await client.have(session, ids);
    took.push(performance.now() - started);
    await pause(askEveryMs);
  }
  return took;
}

const agents: Agent[] = [];
for (const state of states) agents.push(await startAgent(state));
const started = performance.now();
const endMs = started + Number(seconds) * 1000;
if (what === "ask") {
  const waits = await ask(agents[0]!, endMs);
  process.stdout.write(`${JSON.stringify({ waits })}\n`);
} else {
  const bytes = await Promise.all(agents.map((agent) => upload(agent, endMs)));
  process.stdout.write(`${JSON.stringify({ bytes, seconds: (performance.now() - started) / 1000 })}\n`);
}
for (const { client } of agents) client.close();
