// Request targets and hrefs. Names are bytes: a segment is percent-decoded to exactly the bytes of a name and encoded from them
// (RFC 3986), so names that are not UTF-8, and those with #, ?, % or \ in them, can be reached.

/** What a request target names. */
export type Target = {
  /** Segments of the path, decoded; empty ones are left out. */
  readonly path: readonly Buffer[];
  /** What follows the first `?`, without it. */
  readonly query: string;
};

const percent = 0x25;
const slash = 0x2f;
const dot = Buffer.from(".");
const dots = Buffer.from("..");

/**
 * Splits a target in origin form ("/a/b?q") or absolute form ("https://host/a/b?q"); one character per byte.
 * Undefined for one that names nothing: a broken percent code, a dot segment, `/` or NUL inside a name, a fragment.
 */
export function parseTarget(target: string): Target | undefined {
  const origin = /^https?:\/\/[^/?#]*(?<rest>.*)$/is.exec(target)?.groups?.rest ?? target;
  const mark = origin.indexOf("?");
  const written = mark < 0 ? origin : origin.slice(0, mark);
  const query = mark < 0 ? "" : origin.slice(mark + 1);
  if ((written !== "" && !written.startsWith("/")) || written.includes("#")) return undefined;
  const path: Buffer[] = [];
  for (const segment of written.split("/")) {
    if (segment === "") continue;
    const name = decodeSegment(segment);
    if (name === undefined) return undefined;
    path.push(name);
  }
  return { path, query };
}

/** The bytes of a segment; undefined where they can be no name. */
function decodeSegment(segment: string): Buffer | undefined {
  const bytes = Buffer.from(segment, "latin1");
  let to = 0;
  for (let from = 0; from < bytes.length; from++, to++) {
    let byte = bytes[from] as number;
    if (byte === percent) {
      const high = hexDigit(bytes[from + 1]);
      const low = hexDigit(bytes[from + 2]);
      if (high < 0 || low < 0) return undefined;
      byte = high * 16 + low;
      from += 2;
    }
    if (byte === 0 || byte === slash) return undefined;
    bytes[to] = byte;
  }
  const name = bytes.subarray(0, to);
  return name.equals(dot) || name.equals(dots) ? undefined : name;
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** How each byte of a name is written: the unreserved characters of RFC 3986 as they are, all others as %XX. */
const written: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const char = String.fromCharCode(byte);
  return /[A-Za-z0-9._~-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
});

/** A name as a segment of a URL. */
export function encodeSegment(name: Uint8Array): string {
  let segment = "";
  for (let at = 0; at < name.length; at++) segment += written[name[at] as number] as string;
  return segment;
}

/** The path-only href of these segments; a collection's ends in `/`. Its characters need no escaping in XML or HTML. */
export function hrefOf(path: readonly Uint8Array[], collection: boolean): string {
  const href = path.map((name) => `/${encodeSegment(name)}`).join("");
  return collection ? `${href}/` : href;
}
