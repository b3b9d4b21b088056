// What a box and its datacentre say to each other (docs/protocol.md, "Boxes").

/** Bytes of a part of a list. */
export const seedPartBytesMax = 4 * 2 ** 20;

/** `GET /v1/seed` */
export type SeedAnswer = {
  readonly box: number;
  readonly state: string;
  /** The newest seal that was accepted; 0 for none. */
  readonly seal: number;
};

/** `POST /v1/seed/manifest`: neither accepted nor anything missing means that the datacentre is at work: ask again. */
export type SealAnswer = {
  readonly accepted: boolean;
  readonly missing: readonly {
    readonly vault: string;
    readonly list: string;
    readonly bytes: number;
    /** Bytes that are there already. */
    readonly have: number;
  }[];
};

/** `POST /v1/seed/reopened`: by account, the home record that names the box again, and the one that will call its devices back. */
export type ReopenAnswer = {
  readonly homes: readonly { readonly account: string; readonly record: string; readonly recall: string }[];
};
