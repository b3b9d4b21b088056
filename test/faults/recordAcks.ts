// Loaded into an agent's process before the program (node --import): writes down what the gateway acknowledges, before the
// agent hears of it. HOLDFAST_TEST_ACKS names the file, HOLDFAST_TEST_WRITE_LOG the log of the gateway's disk, if it has one.

import { GatewayClient } from "../../ingest/client/gatewayClient.ts";
import { RecordStatus } from "../../ingest/wire/recordStatus.ts";
import { AckWriter } from "./ackLog.ts";
import { flushedEntries } from "./writeLog.ts";

const path = process.env.HOLDFAST_TEST_ACKS;
if (path === undefined) throw new Error("HOLDFAST_TEST_ACKS is not set");
const acks = new AckWriter(path);
const writeLog = process.env.HOLDFAST_TEST_WRITE_LOG;
const flushed = (): number => (writeLog === undefined ? 0 : flushedEntries(writeLog));

/** The id in a record's header (docs/format.md, section 5). */
function idOf(record: Uint8Array): string {
  return Buffer.from(record.subarray(24, 56)).toString("hex");
}

const { records, commit } = GatewayClient.prototype;

GatewayClient.prototype.records = async function (session, sent, signal) {
  const ids = sent.map(idOf);
  acks.write({ event: "sent", ids });
  const answer = await records.call(this, session, sent, signal);
  const stored = ids.filter((_, index) => answer.statuses[index] !== RecordStatus.waits);
  acks.write({ event: "stored", ids: stored, flushed: flushed() });
  return answer;
};

GatewayClient.prototype.commit = async function (session, object, signal) {
  const answer = await commit.call(this, session, object, signal);
  acks.write({ event: "committed", snapshot: answer.snapshot, flushed: flushed() });
  return answer;
};
