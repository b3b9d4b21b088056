// What goes between a pool of opening threads and its workers.

import type { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { VaultSecrets } from "../../vault/keys/vaultKeys.ts";
import type { RecordType } from "../../vault/magic.ts";
import type { OpenEngines } from "../../vault/record.ts";

/** What a thread opens with, and what wipes all that came from keys. */
export type ThreadEngines = OpenEngines & { readonly close: () => void };

/** `keyring` numbers the keys that a worker was given. The memory of `record` is transferred. */
export type OpenRequest = {
  readonly ticket: number;
  readonly keyring: number;
  readonly group: number;
  readonly type: RecordType;
  readonly id: Uint8Array;
  readonly record: Uint8Array;
};

export type ToOpener =
  | { readonly kind: "open"; readonly requests: readonly OpenRequest[] }
  | { readonly kind: "keys"; readonly keyring: number; readonly secrets: VaultSecrets }
  | { readonly kind: "forget"; readonly keyring: number }
  | { readonly kind: "rest" }
  | { readonly kind: "stop" };

/** The memory of `plaintext` is transferred. */
export type Opened =
  | {
      readonly kind: "opened";
      readonly ticket: number;
      readonly plaintext: Uint8Array;
      readonly refs: Uint8Array;
    }
  | {
      readonly kind: "failed";
      readonly ticket: number;
      readonly code: ErrorCode;
      readonly message: string;
      readonly detail: HoldfastError["detail"];
    };

export type FromOpener =
  | { readonly kind: "answers"; readonly answers: readonly Opened[] }
  | { readonly kind: "ready" };
