// How a view is served over HTTP by a listener that knows no view: parts of a request in, parts of an answer out. The gateway
// owns the listener, TLS and who may ask; fs/webdav answers; the appliance brings the two together.

import type { PathVersion } from "./ports.ts";

/** Whose snapshots a request may see, and with whose rights. */
export type WebScope = {
  /** The account's name. Nothing of another one exists for this request. */
  readonly account: string;
  /** Folder names below the account, outermost first: what is not below them does not exist. Undefined: everything. */
  readonly read: readonly string[] | undefined;
  /** Enforce archived owners and modes for this user; without it everything of the account is readable. */
  readonly asUser?: { readonly uid: number; readonly gids: readonly number[] };
};

export type WebRequest = {
  readonly method: string;
  /** The request target as it was sent, one character per byte. */
  readonly target: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: AsyncIterable<Uint8Array>;
  /** Fires when the client has gone. */
  readonly signal: AbortSignal;
};

export type WebAnswer = {
  readonly status: number;
  /** Reason phrase where the usual one says too little; printable ASCII. */
  readonly reason?: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Pieces that are never changed after they were handed out. When an iteration throws, the connection must be cut. */
  readonly body?: Buffer | AsyncIterable<Buffer>;
  /** Each piece of the body is memory of its own, which whoever sends it may give back when it is sent. */
  readonly ownsBody?: true;
  /** What the log should know of an answer of 500 and above. */
  readonly failure?: Error;
};

/** A tree of snapshots for a listener. The first two never throw for anything that a client can send. */
export interface WebFront {
  /** The WebDAV answer to what is the same for everybody (OPTIONS, refused methods); undefined: find out who asks, then `answer`. */
  answerAnybody(request: WebRequest): WebAnswer | undefined;
  /** The WebDAV answer to somebody. */
  answer(request: WebRequest, scope: WebScope): Promise<WebAnswer>;
  /**
   * A folder or file of a snapshot in one file. `path`: encoded names below the tree's root, without a leading slash.
   * @throws HoldfastError usage for what is no address; not-found, forbidden, vault-locked, and what reading fails with
   */
  archive(request: WebRequest, scope: WebScope, path: string, format: string): Promise<WebAnswer>;
  /** The versions of a path below an item (`account/device/item/names...`), newest first. @throws HoldfastError as `archive` */
  history(request: WebRequest, scope: WebScope, path: string): AsyncIterable<PathVersion>;
}
