// What both ends of the peer routes agree on (docs/protocol.md, "Peers"): a gateway that pushes replicas, and one that keeps them.

const MiB = 2 ** 20;

/** Request header: SHA-256 of the whole object, 64 hex digits (lower case, as node:http reports it). Answer header of HEAD and GET. */
export const objectHashHeader = "holdfast-sha256";

/** Request header of a PUT that replaces what fails its hash: "1". */
export const healHeader = "holdfast-heal";

export const peerLimits = {
  /** A key; shorter than keys may be elsewhere, since it stands in addresses. */
  keyBytesMax: 500,
  /** One name of a key. */
  keyPartBytesMax: 200,
  keyPartsMax: 8,
  objectBytesMax: 1024 * MiB,
  /** An object that comes in one request; longer ones come in parts. */
  putBytesMax: 8 * MiB,
  partBytesMax: 8 * MiB,
  /** What arrived of an upload is kept for so long after its last part. */
  uploadKeptMs: 24 * 3_600_000,
  /** Uploads of one peer that are not finished; a new one takes the place of the one that rested longest. */
  uploadsPerPeer: 64,
  /** Bodies of one peer at a time. */
  bodiesPerPeer: 32,
  /** Downloads of one peer at a time. */
  readsPerPeer: 32,
  /** Receipts, challenges, lists and deletions of one peer at a time. */
  checksPerPeer: 8,
  keysPerList: 1000,
  keysPerChallenge: 64,
  snapshotsPerReceipt: 4096,
  nonceBytes: 32,
} as const;

/** `POST /v1/peer/uploads`. `sha256` in hex. */
export type UploadRequest = {
  readonly key: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly heal?: boolean;
};

/** How far an upload is; `done` once the object is there. */
export type UploadAnswer = { readonly upload: string; readonly offset: number; readonly done: boolean };

export type ListAnswer = {
  readonly objects: readonly { readonly key: string; readonly bytes: number }[];
  /** Give this as `after` for what follows; null at the end. */
  readonly next: string | null;
};

export type DeleteAnswer = { readonly outcome: "deleted" | "locked" };

/** Ids and hashes in hex. */
export type ReceiptsRequest = {
  readonly replica: string;
  readonly generation: number;
  readonly root: string;
  readonly snapshots: readonly string[];
};

export type ReceiptsAnswer = { readonly receipts: readonly string[] };

export type ChallengeRequest = { readonly nonce: string; readonly keys: readonly string[] };

/** Hex; null where there is no such object. */
export type ChallengeAnswer = { readonly answers: readonly (string | null)[] };

export type PeerUsageAnswer = {
  readonly name: string;
  /** null: as much as the disk holds. */
  readonly quotaBytes: number | null;
  readonly usedBytes: number;
  readonly objects: number;
  /** Declared bytes of uploads that are not finished. */
  readonly uploadBytes: number;
  readonly holdSeconds: number;
  /** Public key that signs receipts, 64 hex digits. */
  readonly signer: string;
};
