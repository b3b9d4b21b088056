// What a worker thread of a pool does: it opens records. It holds keys of a vault only from `keys` to `forget`, and wipes them then,
// with all that opening left in memory.

import { parentPort } from "node:worker_threads";
import { asBuffer } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { VaultKeys, wipeSecrets } from "../../vault/keys/vaultKeys.ts";
import { type OpenRecord, openRecord, type RecordToOpen } from "../../vault/record.ts";
import { type Outcome, openRecordPair, outcomeOf } from "../../vault/recordPair.ts";
import type { FromOpener, Opened, OpenRequest, ThreadEngines, ToOpener } from "./openMessages.ts";
import { asDamage } from "./openResult.ts";
import { SpareMemory } from "./spareMemory.ts";

/** Sealed records were here, opened ones come here: one of the largest, or a few. */
const spareBytesMax = 6 * 1024 * 1024;

/** Sealed records from this length on are worth being proven two at a time. */
const pairedBytesMin = 16 * 1024;

/** Serves this thread's parent until it says stop. Engines are made with the first record, and anew after a vault was locked. */
export function serveOpening(makeEngines: () => ThreadEngines | undefined): void {
  const keyrings = new Map<number, VaultKeys>();
  const spare = new SpareMemory(spareBytesMax);
  const memory = (bytes: number): Buffer => spare.take(bytes);
  let engines: ThreadEngines | undefined;

  function wantedOf({ keyring, group, type, id, record }: OpenRequest): RecordToOpen {
    const keys = keyrings.get(keyring);
    if (keys === undefined) throw new HoldfastError(ErrorCode.vaultLocked, "the vault was locked meanwhile");
    engines ??= makeEngines();
    return { keys, group, record, expectedId: id, expectedType: type, engines, memory };
  }

  function answer(request: OpenRequest, outcome: Outcome<OpenRecord>): Opened {
    const { ticket, id, record } = request;
    try {
      if ("value" in outcome) {
        const { plaintext, refs } = outcome.value;
        // A view of Node's pool would take its neighbours along, and could not be transferred.
        const own = plaintext.buffer.byteLength === plaintext.length || plaintext.length > Buffer.poolSize;
        return {
          kind: "opened",
          ticket,
          plaintext: own ? plaintext : Uint8Array.from(plaintext),
          refs: Uint8Array.from(refs),
        };
      }
      const error = asDamage(outcome.error, id);
      if (isHoldfastError(error)) {
        const { code, message, detail } = error;
        return { kind: "failed", ticket, code, message, detail };
      }
      const message = error instanceof Error ? error.message : String(error);
      return { kind: "failed", ticket, code: ErrorCode.internal, message, detail: {} };
    } finally {
      // The references were a view of it.
      spare.give(asBuffer(record));
    }
  }

  /** Two large records, where they can be proven beside each other. */
  function pairOf(
    one: OpenRequest,
    other: OpenRequest | undefined,
  ): ReturnType<typeof openRecordPair> | undefined {
    if (other === undefined || Math.min(one.record.length, other.record.length) < pairedBytesMin)
      return undefined;
    const wanted = outcomeOf(() => [wantedOf(one), wantedOf(other)] as const);
    if ("error" in wanted || !engines?.open.keepsMemory) return undefined;
    return openRecordPair(wanted.value, engines.hmacs);
  }

  function answersTo(requests: readonly OpenRequest[]): Opened[] {
    const answers: Opened[] = [];
    for (let at = 0; at < requests.length; ) {
      const [one, other] = [requests[at] as OpenRequest, requests[at + 1]];
      const outcomes = pairOf(one, other) ?? [outcomeOf(() => openRecord(wantedOf(one)))];
      for (const outcome of outcomes) answers.push(answer(requests[at++] as OpenRequest, outcome));
    }
    return answers;
  }

  function forgetOpened(): void {
    engines?.close();
    engines = undefined;
    spare.clear();
  }

  parentPort?.on("message", (message: ToOpener) => {
    switch (message.kind) {
      case "open": {
        const answers = answersTo(message.requests);
        const memory = answers.flatMap((each) =>
          each.kind === "opened" ? [each.plaintext.buffer as ArrayBuffer] : [],
        );
        parentPort?.postMessage({ kind: "answers", answers } satisfies FromOpener, memory);
        return;
      }
      case "keys": {
        const { secrets } = message;
        // They come again with a new epoch.
        keyrings.get(message.keyring)?.wipe();
        keyrings.set(message.keyring, new VaultKeys(secrets));
        wipeSecrets(secrets);
        return;
      }
      case "forget":
        keyrings.get(message.keyring)?.wipe();
        keyrings.delete(message.keyring);
        forgetOpened();
        return;
      case "rest":
        spare.clear();
        globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
        return;
      case "stop":
        for (const keys of keyrings.values()) keys.wipe();
        keyrings.clear();
        forgetOpened();
        parentPort?.close();
    }
  });
  parentPort?.postMessage({ kind: "ready" } satisfies FromOpener);
}
