// Chooses what hashes and seals on a thread of a backup or restore.

import { type HmacEngine, nodeHmacs } from "../../vault/hmac.ts";
import { limits } from "../../vault/limits.ts";
import { nodeEngine, type OpenEngine, type SealEngine } from "../../vault/seal/engine.ts";
import { createNativeHmacs } from "./nativeHmac.ts";
import { createNativeSeal } from "./nativeSeal.ts";
import { whereNative } from "./select.ts";

export type Engines = {
  readonly seal: SealEngine;
  readonly open: OpenEngine;
  readonly hmacs: HmacEngine;
  /** Gives memory back and wipes what came from keys. Neither may be used afterwards. */
  readonly close: () => void;
};

/**
 * The fastest engines that this process has; call it once per thread. They differ in speed only, so a missing one is no error. What seals
 * and opens is made with the first use: a run that finds nothing changed seals nothing.
 */
export function selectEngines(): Engines {
  const hmacs = whereNative(createNativeHmacs);
  let seal: (SealEngine & OpenEngine & { close?: () => void }) | undefined;
  let closed = false;
  const made = () => {
    if (closed) throw new Error("engines were used after they were closed");
    seal ??= whereNative(() => createNativeSeal(limits.plainBytesMax)) ?? nodeEngine;
    return seal;
  };
  return {
    hmacs: hmacs ?? nodeHmacs,
    get seal() {
      return made();
    },
    get open() {
      return made();
    },
    close() {
      closed = true;
      seal?.close?.();
      hmacs?.close();
    },
  };
}
