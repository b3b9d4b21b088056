// GET and HEAD of files and links.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { View, ViewNode } from "../view/view.ts";
import type { WebAnswer, WebRequest } from "../view/webPort.ts";
import { type ByteRange, parseByteRange } from "./byteRange.ts";
import { refuse } from "./failure.ts";
import { mediaType } from "./mediaTypes.ts";
import type { Resolver } from "./resolver.ts";
import type { Resource } from "./resource.ts";
import type { Slots } from "./slots.ts";
import { streamed } from "./streaming.ts";
import { checkConditions, rangeCounts, type Validators, validatorsOf } from "./validators.ts";

const MiB = 2 ** 20;
/** Read at a time; reads after the first begin at multiples of it. */
const blockBytes = 1 * MiB;

export type ContentParts = {
  readonly view: View;
  readonly resolver: Resolver;
  readonly request: WebRequest;
  /** A file or a link. */
  readonly resource: Resource;
  readonly slots: Slots;
  readonly owner: string;
};

/** @throws HoldfastError forbidden, and what reading the first block fails with */
export async function answerContent(parts: ContentParts): Promise<WebAnswer> {
  const { view, resolver, request, resource } = parts;
  if (resource.kind === "file") await resolver.demandRead(resource);
  const validators = validatorsOf(view, resource);
  const outcome = checkConditions(request.headers, validators);
  const headers = contentHeaders(resource, validators);
  if (outcome === "failed") return refuse(request, { status: 412, message: "the file is another one now" });
  if (outcome === "not-modified") {
    const { "content-type": _type, "content-security-policy": _policy, ...kept } = headers;
    return { status: 304, headers: kept };
  }
  const range = rangeOf(request, resource, validators);
  if (range === "unsatisfiable") {
    return refuse(request, {
      status: 416,
      message: "the range lies outside of the file",
      headers: { "content-range": `bytes */${resource.size}`, "accept-ranges": "bytes" },
    });
  }
  const first = range?.first ?? 0;
  const length = range === undefined ? resource.size : range.last - range.first + 1;
  const about = { ...headers, "content-length": String(length) };
  const body = request.method === "HEAD" ? undefined : await bodyOf(parts, first, length);
  // Contents are read into memory of their own; a link's are the view's.
  const sent = body !== undefined && { body, ...(resource.kind === "file" && { ownsBody: true as const }) };
  if (range === undefined) return { status: 200, headers: about, ...sent };
  const contentRange = `bytes ${range.first}-${range.last}/${resource.size}`;
  return {
    status: 206,
    headers: { ...about, "content-range": contentRange },
    ...sent,
  };
}

function rangeOf(
  request: WebRequest,
  resource: Resource,
  validators: Validators,
): ByteRange | "unsatisfiable" | undefined {
  const header = request.headers.range;
  // Only GET knows ranges (RFC 9110, section 14.2).
  if (typeof header !== "string" || request.method !== "GET") return undefined;
  if (!rangeCounts(request.headers, resource, validators)) return undefined;
  return parseByteRange(header, resource.size);
}

function contentHeaders(resource: Resource, { etag, lastModified }: Validators): Record<string, string> {
  return {
    ...(etag !== undefined && { etag }),
    ...(lastModified !== undefined && { "last-modified": lastModified }),
    "accept-ranges": "bytes",
    "content-type":
      resource.kind === "link" ? "text/plain; charset=utf-8" : mediaType(resource.path.at(-1) as Buffer),
    "cache-control": "private, no-cache",
    // Archived files are not the gateway's own pages: whatever they hold runs nothing and asks for nothing.
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
  };
}

async function bodyOf(
  parts: ContentParts,
  first: number,
  length: number,
): Promise<Buffer | AsyncIterable<Buffer>> {
  const { view, request, resource, slots, owner } = parts;
  if (resource.kind === "link") return Buffer.from(resource.target ?? []).subarray(first, first + length);
  const blocks = blocksOf(view, resource.node, first, length, request.signal);
  const block = await blocks.next();
  if (block.done === true) return Buffer.alloc(0);
  if (block.value.length === length) return block.value;
  return streamed({ first: block.value, rest: () => blocks, slots, owner, signal: request.signal });
}

/** `length` bytes from `first` on, in blocks; the next is read while one is being sent. */
async function* blocksOf(
  view: View,
  node: ViewNode,
  first: number,
  length: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, void> {
  const end = first + length;
  const read = (at: number): Promise<Uint8Array> => {
    const blockEnd = Math.min(end, (Math.floor(at / blockBytes) + 1) * blockBytes);
    const reading = view.read(node, BigInt(at), blockEnd - at, signal);
    // Its failure shows when the block's turn comes; until then it is nobody's.
    reading.catch(() => undefined);
    return reading;
  };
  let at = first;
  for (let reading = at < end ? read(at) : undefined; reading !== undefined; ) {
    const bytes: Uint8Array = await reading;
    if (bytes.length === 0) throw new HoldfastError(ErrorCode.truncated, "a file ends before its size says");
    at += bytes.length;
    reading = at < end ? read(at) : undefined;
    yield Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }
}
