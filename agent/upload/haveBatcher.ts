// Collects questions "is this chunk there?" into few requests: the first goes out at once, and what comes up while
// requests are under way goes with the next. So a slow line gets large batches and a fast one short waits.

import { bitAt } from "../../ingest/wire/bitmap.ts";
import { wireLimits } from "../../ingest/wire/protocol.ts";

type Question = {
  readonly id: Buffer;
  readonly resolve: (has: boolean) => void;
  readonly reject: (error: unknown) => void;
};

const requestsAtOnce = 2;

export class HaveBatcher {
  readonly #have: (ids: readonly Uint8Array[]) => Promise<Buffer>;
  #questions: Question[] = [];
  #underWay = 0;
  #scheduled = false;

  constructor(have: (ids: readonly Uint8Array[]) => Promise<Buffer>) {
    this.#have = have;
  }

  /** Whether the gateway has the chunk. Rejects with what the request failed with. */
  ask(id: Buffer): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#questions.push({ id, resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#questions.length === 0 || this.#underWay >= requestsAtOnce) return;
    this.#scheduled = true;
    // After the current burst of messages, so that they share a request.
    setImmediate(() => {
      this.#scheduled = false;
      void this.#send();
    });
  }

  async #send(): Promise<void> {
    const batch = this.#questions.splice(0, wireLimits.idsPerHave);
    if (batch.length === 0) return;
    this.#underWay += 1;
    try {
      const bitmap = await this.#have(batch.map((question) => question.id));
      for (const [index, question] of batch.entries()) question.resolve(bitAt(bitmap, index));
    } catch (error) {
      for (const question of batch) question.reject(error);
    } finally {
      this.#underWay -= 1;
      this.#schedule();
    }
  }
}
