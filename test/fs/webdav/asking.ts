// Asks a WebDav without a listener: request parts in, the whole answer out.

import { gunzipSync } from "node:zlib";
import { archiver } from "../../../appliance/drive/archiver.ts";
import type { PathHistory } from "../../../fs/view/ports.ts";
import type { View } from "../../../fs/view/view.ts";
import type { WebAnswer, WebRequest, WebScope } from "../../../fs/view/webPort.ts";
import { WebDav, type WebDavOptions } from "../../../fs/webdav/webDav.ts";
import { directory, type MemoryNode, MemoryView } from "../memoryView.ts";

export type Answered = {
  readonly status: number;
  readonly reason: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Decompressed. */
  readonly body: Buffer;
  readonly text: string;
};

export type Ask = {
  readonly headers?: WebRequest["headers"];
  readonly body?: string | Uint8Array;
  readonly scope?: WebScope;
  readonly signal?: AbortSignal;
};

async function* piecesOf(body: string | Uint8Array | undefined): AsyncGenerator<Uint8Array, void, void> {
  if (body !== undefined) yield Buffer.from(body as string);
}

export function requestOf(method: string, target: string, ask: Ask = {}): WebRequest {
  return {
    method,
    target,
    headers: ask.headers ?? {},
    body: piecesOf(ask.body),
    signal: ask.signal ?? new AbortController().signal,
  };
}

/** Alice, who may see all of her account. */
export const alice: WebScope = { account: "alice", read: undefined };

/** As the gateway does it. */
export async function answerOf(
  dav: WebDav,
  method: string,
  target: string,
  ask: Ask = {},
): Promise<WebAnswer> {
  const request = requestOf(method, target, ask);
  return dav.answerAnybody(request) ?? (await dav.answer(request, ask.scope ?? alice));
}

export async function bodyOf(answer: WebAnswer): Promise<Buffer> {
  if (answer.body === undefined) return Buffer.alloc(0);
  if (Buffer.isBuffer(answer.body)) return answer.body;
  const pieces: Buffer[] = [];
  for await (const piece of answer.body) pieces.push(piece);
  return Buffer.concat(pieces);
}

export async function ask(dav: WebDav, method: string, target: string, more: Ask = {}): Promise<Answered> {
  const answer = await answerOf(dav, method, target, more);
  const sent = await bodyOf(answer);
  const body = answer.headers["content-encoding"] === "gzip" ? gunzipSync(sent) : sent;
  return {
    status: answer.status,
    reason: answer.reason,
    headers: answer.headers,
    body,
    text: body.toString("utf8"),
  };
}

/** hrefs of a multistatus, in order. */
export function hrefs({ text }: Answered): string[] {
  return Array.from(text.matchAll(/<D:href>([^<]*)<\/D:href>/g), (match) => match[1] as string);
}

/** A WebDav over a view, or over the one that there is at the time; nothing in it has a history. */
export function davOver(view: View | (() => View), options: Partial<WebDavOptions> = {}): WebDav {
  const history: PathHistory = async function* () {};
  const now = typeof view === "function" ? view : () => view;
  return new WebDav({ view: now, base: "dav", archiver, history, ...options });
}

/** The folders above a snapshot of alice's device "pc", whose item is "files". `latest` is added by who needs it. */
export function namespaceOf(snapshot: MemoryNode, ...more: [string, MemoryNode][]): MemoryView {
  const above = (rows: [string, MemoryNode][]): MemoryNode => directory(rows, { mutable: true, mtimeNs: 0n });
  const files = above([[time, snapshot], ...more]);
  const accounts = above([
    [
      "alice",
      above([
        ["pc", above([["files", files]])],
        ["phone", above([])],
      ]),
    ],
    ["bob", above([["server", above([])]])],
  ]);
  return new MemoryView(accounts);
}

export const time = "2026-11-22T054512Z";
/** Where the snapshot of `namespaceOf` is. */
export const top = `/dav/alice/pc/files/${time}`;
