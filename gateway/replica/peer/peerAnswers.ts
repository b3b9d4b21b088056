// What a peer answers, read as what comes from outside: it may be damaged, or lie.

import type { DeleteAnswer, ListAnswer } from "../../../ingest/wire/peer.ts";
import { peerLimits } from "../../../ingest/wire/peer.ts";
import { fromHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import {
  asArray,
  asHex,
  asInteger,
  asObject,
  asText,
  type JsonObject,
  parseJson,
} from "../../../vault/jsonFields.ts";
import { limits } from "../../../vault/limits.ts";
import { openReceipt } from "../../../vault/replica/receipt.ts";
import { readKey } from "../../peer/keyForm.ts";
import type { ReceiptRequest } from "../replicaStore.ts";

const answerBytesMax = 32 * 2 ** 20;

/** Runs a reader of an answer; what is wrong with one is the peer's fault. @throws HoldfastError replica-refused */
function reading<T>(body: Uint8Array, what: string, read: (json: JsonObject) => T): T {
  try {
    return read(asObject(parseJson(body, what, answerBytesMax), what));
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    throw new HoldfastError(ErrorCode.replicaRefused, `the peer's answer is none: ${error.message}`, {
      cause: error,
    });
  }
}

function wrong(why: string): HoldfastError {
  return new HoldfastError(ErrorCode.corrupt, why);
}

/**
 * A page of a list: keys below `prefix`, each behind the one before, and all behind `after`, so that a peer cannot make us read for ever.
 * @throws HoldfastError replica-refused
 */
export function parseListAnswer(body: Uint8Array, prefix: string, after: string | undefined): ListAnswer {
  return reading(body, "a list", (json) => {
    let last = after;
    const objects = asArray(json.objects, "its objects", peerLimits.keysPerList).map((each) => {
      const row = asObject(each, "its object");
      const key = asText(row.key, "a key");
      readKey(key);
      if (!key.startsWith(prefix) || (last !== undefined && !comesAfter(key, last)))
        throw wrong("keys out of order");
      last = key;
      return { key, bytes: asInteger(row.bytes, "an object's bytes", 0) };
    });
    const { next } = json;
    if (next !== null && (objects.length === 0 || next !== last)) throw wrong("it goes on elsewhere");
    return { objects, next: next === null ? null : (last ?? null) };
  });
}

/** The order of a listing: name by name. */
function comesAfter(key: string, before: string): boolean {
  const [a, b] = [key.split("/"), before.split("/")];
  for (const [i, name] of a.entries()) {
    const other = b[i];
    if (other === undefined) return true;
    if (name !== other) return name > other;
  }
  return false;
}

/** @throws HoldfastError replica-refused */
export function parseDeleteAnswer(body: Uint8Array): DeleteAnswer["outcome"] {
  return reading(body, "an outcome", ({ outcome }) => {
    if (outcome === "deleted" || outcome === "locked") return outcome;
    throw wrong("an outcome that is unknown");
  });
}

/** Answers to a challenge. @throws HoldfastError replica-refused */
export function parseAnswers(body: Uint8Array, count: number): (Buffer | undefined)[] {
  return reading(body, "answers", (json) => {
    const answers = asArray(json.answers, "the answers", count);
    if (answers.length !== count) throw wrong("another number of answers");
    return answers.map((answer) =>
      answer === null ? undefined : fromHex(asHex(answer, "an answer", 32), 32),
    );
  });
}

/** @throws HoldfastError replica-refused */
export function parseReceipts(body: Uint8Array, count: number): string[] {
  return reading(body, "receipts", (json) => {
    const receipts = asArray(json.receipts, "the receipts", count);
    if (receipts.length !== count) throw wrong("another number of receipts");
    return receipts.map((receipt) => {
      const text = asText(receipt, "a receipt");
      if (text.length > limits.rootBytesMax) throw wrong("a receipt that is too long");
      return text;
    });
  });
}

/** Holds a receipt to what was asked for. @throws HoldfastError replica-damaged */
export function checkReceipt(text: string, signer: string, asked: ReceiptRequest, snapshot: string): void {
  const { vault, replica, generation, root } = asked;
  try {
    const found = openReceipt(Buffer.from(text, "latin1"), signer);
    const same =
      found.vault === vault &&
      found.replica === replica &&
      found.generation === generation &&
      found.root === root &&
      found.snapshot === snapshot &&
      found.proof === "peer";
    if (!same) throw wrong("it says something else than was asked for");
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    throw new HoldfastError(ErrorCode.replicaDamaged, `the peer's receipt is not valid: ${error.message}`, {
      cause: error,
    });
  }
}
