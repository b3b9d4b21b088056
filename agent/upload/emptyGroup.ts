// A first backup finds nothing at the gateway, so it need not ask: most of its requests would be questions, and what is in a window would wait for
// their answers. What others send at the same time is found out by what becomes of the records.
//
// Invariants
//  - While this holds, all that is at the gateway was sent by this run, which remembers it: it ends with `idsMax` ids, the number that RecentIds keeps.
//  - It ends, for the rest of the run, with the first record that was there already. That one is trusted no more than one that the gateway had said
//    it had (ChunkUpload): a share of them is read back.

import { RecordStatus } from "../../ingest/wire/recordStatus.ts";
import type { UploadPort } from "./port.ts";
import { idsMax } from "./recentIds.ts";

export class EmptyGroup {
  #idsLeft: number;

  /** `isEmpty`: the gateway said so when the session began. */
  constructor(isEmpty: boolean) {
    this.#idsLeft = isEmpty ? idsMax : 0;
  }

  /** Whether an id that this run has not sent is not at the gateway, without asking. */
  lacks(): boolean {
    if (this.#idsLeft === 0) return false;
    this.#idsLeft -= 1;
    return true;
  }

  /** The same port; its answers end this when they tell of others. */
  watched(port: UploadPort): UploadPort {
    return {
      have: (ids) => port.have(ids),
      read: (ids) => port.read(ids),
      suspect: (ids) => port.suspect(ids),
      records: async (records) => {
        const answer = await port.records(records);
        if (answer.statuses.includes(RecordStatus.present)) this.#idsLeft = 0;
        return answer;
      },
    };
  }
}
