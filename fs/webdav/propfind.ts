// PROPFIND: a resource, or a collection and what is directly in it, as a stream of pages. Only one page of rows is in memory at a
// time, and between pages the event loop gets its turn.

import { setImmediate as otherWork } from "node:timers/promises";
import { isHoldfastError } from "../../vault/errors.ts";
import type { View } from "../view/view.ts";
import type { WebAnswer, WebRequest } from "../view/webPort.ts";
import { refuse } from "./failure.ts";
import { gzipped, gzippedWhole, takesGzip } from "./gzip.ts";
import { PropertyWriter } from "./properties.ts";
import { type PropfindBody, parsePropfind, propfindLimits } from "./propfindBody.ts";
import type { ListingPage, Resolver } from "./resolver.ts";
import type { Resource } from "./resource.ts";
import type { Slots } from "./slots.ts";
import { streamed } from "./streaming.ts";
import { encodeSegment, hrefOf } from "./target.ts";

/** Rows of a page: some milliseconds of work. */
const pageRows = 256;

const head = '<?xml version="1.0" encoding="utf-8"?>\n<D:multistatus xmlns:D="DAV:">\n';
const foot = "</D:multistatus>\n";

/** What a PROPFIND asks for; or the answer that refuses it. */
export type PropfindAsked = {
  readonly depth: 0 | 1;
  /** Microsoft's "Depth: 1,noroot": leave out the collection itself. */
  readonly noRoot: boolean;
  readonly body: PropfindBody;
  readonly brief: boolean;
};

/** Reads headers and body. */
export async function readPropfind(request: WebRequest): Promise<PropfindAsked | WebAnswer> {
  const { headers } = request;
  const depth = String(headers.depth ?? "infinity")
    .replaceAll(/\s/g, "")
    .toLowerCase();
  if (depth === "infinity" || depth === "infinity,noroot") {
    const message = "a listing goes one level deep: Depth must be 0 or 1";
    return refuse(request, { status: 403, message, condition: "propfind-finite-depth" });
  }
  if (depth !== "0" && depth !== "1" && depth !== "1,noroot")
    return refuse(request, { status: 400, message: "Depth is not 0 or 1" });
  if (
    !["", "identity"].includes(
      String(headers["content-encoding"] ?? "")
        .trim()
        .toLowerCase(),
    )
  ) {
    return refuse(request, { status: 415, message: "a compressed body is not taken" });
  }
  const bytes = await collect(request.body);
  if (bytes === undefined) return refuse(request, { status: 413, message: "the body is too long" });
  try {
    const brief = headers.brief === "t" || /\breturn\s*=\s*minimal\b/i.test(String(headers.prefer ?? ""));
    const noRoot = depth === "1,noroot";
    return { depth: depth === "0" ? 0 : 1, noRoot, body: parsePropfind(bytes), brief };
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    const status = error.code === "limit-exceeded" ? 413 : 400;
    return refuse(request, { status, message: error.message });
  }
}

/** The body; undefined when it is too long. */
async function collect(body: AsyncIterable<Uint8Array>): Promise<Buffer | undefined> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body) {
    bytes += piece.length;
    if (bytes > propfindLimits.bodyBytes) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

export type PropfindParts = {
  readonly view: View;
  readonly resolver: Resolver;
  readonly request: WebRequest;
  readonly asked: PropfindAsked;
  readonly resource: Resource;
  /** Segments before the resource's own path. */
  readonly base: readonly Buffer[];
  readonly slots: Slots;
  readonly owner: string;
};

/** @throws HoldfastError what the first page fails with */
export async function answerPropfind(parts: PropfindParts): Promise<WebAnswer> {
  const { view, resolver, request, asked, resource, base, slots, owner } = parts;
  const collection = resource.kind === "collection";
  const writer = new PropertyWriter(view, asked.body, asked.brief);
  const href = hrefOf([...base, ...resource.path], collection);
  const own = head + response(href, writer.write(resource));
  if (!collection || asked.depth === 0) return multistatus(request, Buffer.from(own + foot));
  const page = await resolver.list(resource, 0n, pageRows);
  const first = (asked.noRoot ? head : own) + rowsOf(page, href, writer);
  const { next } = page;
  if (next === undefined) return multistatus(request, Buffer.from(first + foot));
  async function* rest(): AsyncGenerator<Buffer, void, void> {
    for (let from = next; from !== undefined; ) {
      await otherWork();
      const following = await resolver.list(resource, from, pageRows);
      from = following.next;
      yield Buffer.from(rowsOf(following, href, writer) + (from === undefined ? foot : ""));
    }
  }
  const { signal } = request;
  return multistatus(request, streamed({ first: Buffer.from(first), rest, slots, owner, signal }));
}

function rowsOf(page: ListingPage, href: string, writer: PropertyWriter): string {
  let text = "";
  for (const row of page.rows) {
    const name = encodeSegment(row.path.at(-1) as Buffer);
    text += response(href + (row.kind === "collection" ? `${name}/` : name), writer.write(row));
  }
  return text;
}

function response(href: string, propstats: string): string {
  return `<D:response><D:href>${href}</D:href>${propstats}</D:response>\n`;
}

/** Below this, compressing costs more than it saves. */
const gzipBytesMin = 1024;

async function multistatus(request: WebRequest, body: Buffer | AsyncIterable<Buffer>): Promise<WebAnswer> {
  const headers = {
    "content-type": "application/xml; charset=utf-8",
    "cache-control": "no-store",
    vary: "accept-encoding",
  };
  const short = Buffer.isBuffer(body) && body.length < gzipBytesMin;
  if (short || !takesGzip(request.headers)) return { status: 207, headers, body };
  const packed = Buffer.isBuffer(body) ? await gzippedWhole(body) : gzipped(body);
  return { status: 207, headers: { ...headers, "content-encoding": "gzip" }, body: packed };
}

/** The server's own root, which holds nothing but the base folder: some clients look at it first. */
export function answerServerRoot(
  view: View,
  request: WebRequest,
  asked: PropfindAsked,
  base: readonly Buffer[],
): Promise<WebAnswer> {
  const writer = new PropertyWriter(view, asked.body, asked.brief);
  const { root } = view;
  const folder: Resource = {
    path: [],
    kind: "collection",
    node: root,
    attributes: root.attributes,
    size: 0,
    chain: undefined,
    direct: true,
  };
  let text = asked.noRoot ? head : head + response("/", writer.write(folder));
  if (asked.depth === 1) text += response(hrefOf(base, true), writer.write({ ...folder, path: base }));
  return multistatus(request, Buffer.from(text + foot));
}
