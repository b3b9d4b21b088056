// ETag and Last-Modified of a resource, and the conditions that name them (RFC 9110, section 13).

import { createHash } from "node:crypto";
import type { View } from "../view/view.ts";
import type { WebRequest } from "../view/webPort.ts";
import { httpDate, parseHttpDate } from "./httpDate.ts";
import { isSettled, type Resource } from "./resource.ts";

export type Validators = {
  /** Strong: the same only for the same bytes. Undefined for collections. */
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
};

/** The ETag of a file or link, quotes included; never read from content. */
export function etagOf(view: View, resource: Resource): string | undefined {
  if (resource.kind === "collection") return undefined;
  if (resource.kind === "link") {
    const hash = createHash("sha256").update(resource.target as Uint8Array);
    return `"l-${hash.digest("base64url").slice(0, 22)}"`;
  }
  return `"${view.contentTag(resource.node)}"`;
}

export function validatorsOf(view: View, resource: Resource): Validators {
  return { etag: etagOf(view, resource), lastModified: httpDate(resource.attributes.mtimeNs) };
}

/** What conditions make of a GET or HEAD: go on, 304 or 412. */
export function checkConditions(
  headers: WebRequest["headers"],
  validators: Validators,
): "go-on" | "not-modified" | "failed" {
  const ifMatch = one(headers["if-match"]);
  const unmodifiedSince = one(headers["if-unmodified-since"]);
  if (ifMatch !== undefined) {
    if (!names(ifMatch, validators.etag, false)) return "failed";
  } else if (unmodifiedSince !== undefined && later(validators.lastModified, unmodifiedSince))
    return "failed";
  const ifNoneMatch = one(headers["if-none-match"]);
  const modifiedSince = one(headers["if-modified-since"]);
  if (ifNoneMatch !== undefined) {
    if (names(ifNoneMatch, validators.etag, true)) return "not-modified";
  } else if (modifiedSince !== undefined && later(validators.lastModified, modifiedSince) === false) {
    return "not-modified";
  }
  return "go-on";
}

/** Whether a Range counts: there is no If-Range, or it names exactly what is here. */
export function rangeCounts(
  headers: WebRequest["headers"],
  resource: Resource,
  validators: Validators,
): boolean {
  const ifRange = one(headers["if-range"])?.trim();
  if (ifRange === undefined) return true;
  if (ifRange.startsWith('"')) return ifRange === validators.etag;
  // Two snapshots may hold different bytes with the same time, so a date is strong only where the address is settled.
  return isSettled(resource) && ifRange === validators.lastModified;
}

/** A header that came several times counts as one list. */
function one(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "object" ? value.join(", ") : value;
}

/** Whether a list of ETags names this one. Weak ones in the list count only where a weak comparison is enough. */
function names(list: string, etag: string | undefined, weak: boolean): boolean {
  if (list.trim() === "*") return true;
  if (etag === undefined) return false;
  for (const [written, opaque] of list.matchAll(/(?:W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g)) {
    if (opaque === etag && (weak || !written.startsWith("W/"))) return true;
  }
  return false;
}

/** Whether the modification is later than a date; undefined where one of them is none. */
function later(lastModified: string | undefined, date: string): boolean | undefined {
  const modified = lastModified === undefined ? undefined : parseHttpDate(lastModified);
  const than = parseHttpDate(date);
  return modified === undefined || than === undefined ? undefined : modified > than;
}
