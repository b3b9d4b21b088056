// Makes uploads survive a lost connection and a gateway that restarts: what a broken request left unknown is asked for, and only what is
// missing is sent again. So nothing that was acknowledged, or stored without the answer arriving, is sent twice.

import { bitAt } from "../../ingest/wire/bitmap.ts";
import { RecordStatus, type RecordsAnswer } from "../../ingest/wire/recordStatus.ts";
import { ErrorCode, isHoldfastError } from "../../vault/errors.ts";
import { Width } from "../../vault/magic.ts";
import type { UploadPort } from "./port.ts";

const idAt = 24;
const firstPauseMs = 500;
const pauseMsMax = 10_000;
/** How long a gateway may be away before the run gives up. */
const patienceMs = 180_000;

/** The same port with `records` and `have` that wait for a gateway that went away. `pause` resolves after so many ms. */
export function resending(port: UploadPort, pause: (ms: number) => Promise<void>): UploadPort {
  const patiently = async <T>(call: () => Promise<T>): Promise<T> => {
    let pauseMs = firstPauseMs;
    for (let waitedMs = 0; ; waitedMs += pauseMs, pauseMs = Math.min(pauseMs * 2, pauseMsMax)) {
      try {
        return await call();
      } catch (error) {
        if (!isHoldfastError(error, ErrorCode.gatewayUnreachable) || waitedMs >= patienceMs) throw error;
        await pause(pauseMs);
      }
    }
  };
  const have = (ids: readonly Uint8Array[]): Promise<Buffer> => patiently(() => port.have(ids));
  return {
    have,
    read: (ids) => patiently(() => port.read(ids)),
    suspect: (ids) => patiently(() => port.suspect(ids)),
    records: async (records): Promise<RecordsAnswer> => {
      let first = true;
      return patiently(async () => {
        if (first) {
          first = false;
          return port.records(records);
        }
        const present = await port.have(records.map((record) => record.subarray(idAt, idAt + Width.id)));
        const rest = records.filter((_, index) => !bitAt(present, index));
        const answer =
          rest.length === 0 ? { statuses: new Uint8Array(0), missing: [] } : await port.records(rest);
        return { statuses: merged(records.length, present, answer.statuses), missing: answer.missing };
      });
    },
  };
}

/** The same port for as long as the run has not failed: after that nothing more is asked or sent. */
export function whileRunning(port: UploadPort, failure: { check(): void }): UploadPort {
  const checked = async <T>(call: () => Promise<T>): Promise<T> => {
    failure.check();
    return call();
  };
  return {
    have: (ids) => checked(() => port.have(ids)),
    records: (records) => checked(() => port.records(records)),
    read: (ids) => checked(() => port.read(ids)),
    suspect: (ids) => checked(() => port.suspect(ids)),
  };
}

/** Statuses of all records: what is present, and in their order the others. */
function merged(count: number, present: Buffer, statuses: Uint8Array): Uint8Array {
  const all = new Uint8Array(count);
  let next = 0;
  for (let index = 0; index < count; index++) {
    all[index] = bitAt(present, index) ? RecordStatus.present : (statuses[next++] as number);
  }
  return all;
}
