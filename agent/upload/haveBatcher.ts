// Collects questions "is this chunk there?" into few requests: the first goes out at once, what comes up soon after it or while
// a request is under way goes with the next. So a slow line gets large batches, and on a fast one a request, which costs
// both sides more than a hundred answers, is not spent on every single chunk.

import { bitAt } from "../../ingest/wire/bitmap.ts";
import { wireLimits } from "../../ingest/wire/protocol.ts";

type Question = {
  readonly id: Buffer;
  readonly resolve: (has: boolean) => void;
  readonly reject: (error: unknown) => void;
};

/** A second request beside one that is under way must be worth it. */
const requestsAtOnce = 2;
const secondQuestionsMin = 256;
/** From one request to the next, unless that many questions wait. */
const gatherMs = 8;

export class HaveBatcher {
  readonly #have: (ids: readonly Uint8Array[]) => Promise<Buffer>;
  #questions: Question[] = [];
  #underWay = 0;
  #scheduled = false;
  #sentAtMs = Number.NEGATIVE_INFINITY;

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
    const waiting = this.#questions.length;
    if (this.#scheduled || waiting === 0 || this.#underWay >= requestsAtOnce) return;
    if (this.#underWay > 0 && waiting < secondQuestionsMin) return;
    this.#scheduled = true;
    const send = (): void => {
      this.#scheduled = false;
      void this.#send();
    };
    const pauseMs = this.#sentAtMs + gatherMs - performance.now();
    if (waiting < secondQuestionsMin && pauseMs > 0) setTimeout(send, pauseMs);
    // After the current burst of messages, so that they share a request.
    else setImmediate(send);
  }

  async #send(): Promise<void> {
    const batch = this.#questions.splice(0, wireLimits.idsPerHave);
    if (batch.length === 0) return;
    this.#underWay += 1;
    this.#sentAtMs = performance.now();
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
