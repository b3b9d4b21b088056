// A worker thread that opens records. It holds keys of a vault only from `keys` to `forget`, and wipes them then.

import { parentPort } from "node:worker_threads";
import { asBuffer, giveBack } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import type { FromOpener, OpenRequest, ToOpener } from "./openMessages.ts";
import { openResult } from "./recordOpener.ts";

const keyrings = new Map<number, VaultKeys>();

function opened({ ticket, keyring, group, type, id, record: sent }: OpenRequest): FromOpener {
  const record = asBuffer(sent);
  try {
    const keys = keyrings.get(keyring);
    if (keys === undefined) throw new HoldfastError(ErrorCode.vaultLocked, "the vault was locked meanwhile");
    const { plaintext, refs } = openResult({ result: { state: "record", record }, keys, group, id, type });
    // A view of Node's pool would take its neighbours along, and could not be transferred.
    const own = plaintext.buffer.byteLength === plaintext.length || plaintext.length > Buffer.poolSize;
    return { ticket, plaintext: own ? plaintext : Uint8Array.from(plaintext), refs: Uint8Array.from(refs) };
  } catch (error) {
    if (isHoldfastError(error)) {
      const { code, message, detail } = error;
      return { ticket, code, message, detail };
    }
    const message = error instanceof Error ? error.message : String(error);
    return { ticket, code: ErrorCode.internal, message, detail: {} };
  } finally {
    giveBack(record);
  }
}

parentPort?.on("message", (message: ToOpener) => {
  switch (message.kind) {
    case "open": {
      const answer = opened(message);
      parentPort?.postMessage(answer, "plaintext" in answer ? [answer.plaintext.buffer as ArrayBuffer] : []);
      return;
    }
    case "keys": {
      const { secrets } = message;
      keyrings.set(message.keyring, new VaultKeys(secrets));
      secrets.s.fill(0);
      for (const a of secrets.epochs.values()) a.fill(0);
      return;
    }
    case "forget":
      keyrings.get(message.keyring)?.wipe();
      keyrings.delete(message.keyring);
      return;
    case "stop":
      for (const keys of keyrings.values()) keys.wipe();
      keyrings.clear();
      parentPort?.close();
  }
});
