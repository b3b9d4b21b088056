// Chooses what hashes and seals in a worker of a backup.

import { type HmacEngine, nodeHmacs } from "../../vault/hmac.ts";
import { limits } from "../../vault/limits.ts";
import { nodeEngine, type SealEngine } from "../../vault/seal/engine.ts";
import { createNativeHmacs } from "./nativeHmac.ts";
import { createNativeSeal } from "./nativeSeal.ts";
import { usesLibc } from "./select.ts";

export type Engines = {
  readonly seal: SealEngine;
  readonly hmacs: HmacEngine;
  /** Gives memory back and wipes what came from keys. Neither may be used afterwards. */
  readonly close: () => void;
};

/** The fastest engines that this process has; call it once per thread. They differ in speed only, so a missing one is no error. */
export function selectEngines(): Engines {
  const seal = usesLibc() ? orUndefined(() => createNativeSeal(limits.plainBytesMax)) : undefined;
  const hmacs = usesLibc() ? orUndefined(createNativeHmacs) : undefined;
  return {
    seal: seal ?? nodeEngine,
    hmacs: hmacs ?? nodeHmacs,
    close() {
      seal?.close();
      hmacs?.close();
    },
  };
}

function orUndefined<T>(create: () => T): T | undefined {
  try {
    return create();
  } catch {
    return undefined;
  }
}
