// GET of a collection: a page for browsers (and for what reads such pages: wget, rclone's http), or names, one per line, for who
// asks for plain text.

import { setImmediate as otherWork } from "node:timers/promises";
import type { WebAnswer, WebRequest } from "../view/webPort.ts";
import { gzipped, takesGzip } from "./gzip.ts";
import { pageFoot, pageHead, pageHeaders } from "./htmlPage.ts";
import { isoDate } from "./httpDate.ts";
import { escapeMarkup } from "./markup.ts";
import type { ListingPage, Resolver } from "./resolver.ts";
import { type Resource, shownName } from "./resource.ts";
import type { Slots } from "./slots.ts";
import { streamed } from "./streaming.ts";
import { encodeSegment, hrefOf } from "./target.ts";

/** Rows of one page in a browser; more are a link away. */
const pageRows = 2048;
const batchRows = 256;

export type IndexParts = {
  readonly resolver: Resolver;
  readonly request: WebRequest;
  readonly collection: Resource;
  readonly base: readonly Buffer[];
  /** Of the address, without `?`. */
  readonly query: string;
  /** Formats in which the whole folder can be had. */
  readonly archives: readonly string[];
  readonly slots: Slots;
  readonly owner: string;
};

/** @throws HoldfastError what the first rows fail with */
export async function answerIndex(parts: IndexParts): Promise<WebAnswer> {
  const { resolver, request, collection, slots, owner, query } = parts;
  const from = /(?:^|&)from=(\d{1,15})(?:&|$)/.exec(query)?.[1];
  const start = BigInt(from ?? 0);
  const format = wantsText(request) ? textFormat : htmlFormat(parts, start);
  const page = await resolver.list(collection, start, batchRows);
  if (request.method === "HEAD") return { status: 200, headers: format.headers };
  const first = format.head + rowsOf(format, page);
  async function* rest(): AsyncGenerator<Buffer, void, void> {
    let { next } = page;
    for (let rows = batchRows; next !== undefined && rows < format.rowsMax; rows += batchRows) {
      await otherWork();
      const following = await resolver.list(collection, next, batchRows);
      next = following.next;
      yield Buffer.from(rowsOf(format, following));
    }
    yield Buffer.from(format.foot(next, start === 0n && next === undefined && page.rows.length === 0));
  }
  const { signal } = request;
  const body = streamed({ first: Buffer.from(first), rest, slots, owner, signal });
  if (!takesGzip(request.headers)) return { status: 200, headers: format.headers, body };
  return { status: 200, headers: { ...format.headers, "content-encoding": "gzip" }, body: gzipped(body) };
}

function wantsText({ headers }: WebRequest): boolean {
  const accept = String(headers.accept ?? "");
  return /\btext\/plain\b/.test(accept) && !/\btext\/html\b/.test(accept);
}

type Format = {
  readonly headers: Readonly<Record<string, string>>;
  readonly rowsMax: number;
  readonly head: string;
  readonly row: (resource: Resource) => string;
  readonly foot: (next: bigint | undefined, empty: boolean) => string;
};

function rowsOf(format: Format, page: ListingPage): string {
  let text = "";
  for (const resource of page.rows) text += format.row(resource);
  return text;
}

/** Names as a URL writes them, so that a name with a line break stays one line. */
const textFormat: Format = {
  headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store", vary: "accept" },
  rowsMax: Number.POSITIVE_INFINITY,
  head: "",
  row: (resource) => `${segmentOf(resource)}\n`,
  foot: () => "",
};

function segmentOf({ path, kind }: Resource): string {
  const segment = encodeSegment(path.at(-1) as Buffer);
  return kind === "collection" ? `${segment}/` : segment;
}

function htmlFormat(parts: IndexParts, start: bigint): Format {
  const { collection, base } = parts;
  const here = hrefOf([...base, ...collection.path], true);
  const parent = collection.path.length === 0 ? "" : parentRow(base, collection.path);
  const title = shownText(shownName(collection)) || "Backups";
  return {
    headers: pageHeaders,
    rowsMax: pageRows,
    head: `${pageHead(title)}${top(parts, title, start)}<main>
<table>
<caption>What is in ${title}</caption>
<thead><tr><th scope="col">Name</th><th scope="col" class="n">Size</th><th scope="col" class="t">Modified (UTC)</th></tr></thead>
<tbody>
${parent}`,
    row: (resource) => htmlRow(here, resource),
    foot: (next, empty) =>
      `</tbody>\n</table>\n${empty ? "<p>This folder is empty.</p>\n" : ""}` +
      `${next === undefined ? "" : `<p><a rel="next" href="${here}?from=${next}">More of this folder</a></p>\n`}</main>\n${pageFoot}`,
  };
}

/** The way down to here, and what can be done with all of it. */
function top({ collection, base, archives }: IndexParts, title: string, start: bigint): string {
  const crumbs = collection.path.map((name, depth) => {
    const shown = `<bdi>${shownText(name.toString("utf8"))}</bdi>`;
    if (depth === collection.path.length - 1) return `<li aria-current="page">${shown}</li>`;
    return `<li><a href="${hrefOf([...base, ...collection.path.slice(0, depth + 1)], true)}">${shown}</a></li>`;
  });
  const home = collection.path.length === 0 ? "Backups" : `<a href="${hrefOf(base, true)}">Backups</a>`;
  const links = archives.map((format) => `<a href="?archive=${format}" download>${format}</a>`);
  const download = links.length === 0 ? "" : `<p>Download all of this folder: ${links.join(", ")}</p>\n`;
  const further = start === 0n ? "" : `<p>From entry ${start + 1n} on. <a href="?">First page</a></p>\n`;
  return `<header>
<nav aria-label="Path"><ol><li>${home}</li>${crumbs.join("")}</ol></nav>
<h1><bdi>${title}</bdi></h1>
${download}${further}</header>
`;
}

function parentRow(base: readonly Buffer[], path: readonly Buffer[]): string {
  const href = hrefOf([...base, ...path.slice(0, -1)], true);
  return `<tr><th scope="row"><a class="d" href="${href}">Parent folder</a></th><td></td><td class="t"></td></tr>\n`;
}

function htmlRow(here: string, resource: Resource): string {
  const { kind, target } = resource;
  const folder = kind === "collection";
  const name = `<bdi>${shownText(shownName(resource))}</bdi>${folder ? "/" : ""}`;
  const link = `<a${folder ? ' class="d"' : ""} href="${here}${segmentOf(resource)}">${name}</a>`;
  const leads =
    target === undefined
      ? ""
      : ` <span class="l">is a link to <bdi>${shownText(Buffer.from(target).toString("utf8"))}</bdi></span>`;
  const size = folder
    ? "<td></td>"
    : `<td class="n" title="${resource.size} bytes">${shownSize(resource.size)}</td>`;
  return `<tr><th scope="row">${link}${leads}</th>${size}<td class="t">${shownTime(resource)}</td></tr>\n`;
}

/** Text for a page: control characters as pictures. */
function shownText(text: string): string {
  const seen = text.replace(/[\p{Cc}]/gu, (char) => {
    const code = char.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? "\u2421" : "\ufffd";
  });
  return escapeMarkup(seen);
}

const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] as const;

function shownSize(bytes: number): string {
  const unit = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  if (unit === 0) return `${bytes} B`;
  return `${(bytes / 1024 ** unit).toFixed(1)} ${units[unit]}`;
}

function shownTime({ attributes, chain }: Resource): string {
  const written = attributes.mtimeNs === 0n && chain === undefined ? undefined : isoDate(attributes.mtimeNs);
  if (written === undefined) return "";
  return `<time datetime="${written}">${written.slice(0, 16).replace("T", " ")}</time>`;
}
