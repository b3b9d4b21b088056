// The body of a PROPFIND (RFC 4918, section 14.20): which properties are asked for.
//
// The parser (saxes) checks well-formedness and namespaces to the letter and knows no external entity; DOCTYPE is refused besides, so
// that there is nothing to expand. What the RFC does not name is skipped, as it demands (section 17).

import { type SaxesAttributeNS, SaxesParser } from "saxes";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

/** A property's name: its namespace ("" for none) and its local name. */
export type PropertyName = { readonly namespace: string; readonly local: string };

export type PropfindBody =
  | { readonly ask: "allprop"; readonly include: readonly PropertyName[] }
  | { readonly ask: "propname" }
  | { readonly ask: "prop"; readonly names: readonly PropertyName[] };

export const propfindLimits = {
  bodyBytes: 64 * 1024,
  properties: 128,
  /** Elements inside each other. */
  depth: 64,
} as const;

const dav = "DAV:";

/** Parses a body; an empty one asks for everything. @throws HoldfastError usage, limit-exceeded */
export function parsePropfind(body: Uint8Array): PropfindBody {
  if (body.length === 0) return { ask: "allprop", include: [] };
  const text = decode(body);
  if (text.trim() === "") return { ask: "allprop", include: [] };
  const reader = new PropfindReader();
  const parser = new SaxesParser({ xmlns: true, position: false });
  parser.on("error", (error) => {
    throw malformed(error.message);
  });
  parser.on("doctype", () => {
    throw malformed("a DOCTYPE is not taken");
  });
  parser.on("opentag", (tag) => {
    const names = Object.values(tag.attributes as Record<string, SaxesAttributeNS>);
    reader.open({ namespace: tag.uri, local: tag.local }, names.length);
  });
  parser.on("closetag", () => reader.close());
  parser.write(text).close();
  return reader.result();
}

function malformed(why: string): HoldfastError {
  return new HoldfastError(ErrorCode.usage, `the body is no PROPFIND: ${why.slice(0, 200)}`);
}

/** UTF-8, or UTF-16 with its mark. */
function decode(body: Uint8Array): string {
  const mark = ((body[0] ?? 0) << 8) | (body[1] ?? 0);
  const encoding = mark === 0xfeff ? "utf-16be" : mark === 0xfffe ? "utf-16le" : "utf-8";
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(body);
  } catch {
    throw malformed(`not ${encoding}`);
  }
}

/** Follows the elements. Levels: 1 propfind, 2 what is asked, 3 properties, deeper: whatever a property holds. */
class PropfindReader {
  #level = 0;
  #asked: "allprop" | "propname" | "prop" | undefined;
  #inside: "prop" | "include" | undefined;
  readonly #names: PropertyName[] = [];

  open(name: PropertyName, attributes: number): void {
    this.#level++;
    if (this.#level > propfindLimits.depth || attributes > propfindLimits.properties) {
      throw new HoldfastError(ErrorCode.limitExceeded, "the body of the PROPFIND holds too much");
    }
    if (this.#level === 1 && !is(name, "propfind")) throw malformed("its root is not DAV:propfind");
    if (this.#level === 2) this.#ask(name);
    if (this.#level === 3 && this.#inside !== undefined) this.#property(name);
  }

  close(): void {
    if (this.#level === 2) this.#inside = undefined;
    this.#level--;
  }

  #ask(name: PropertyName): void {
    if (is(name, "include")) this.#inside = "include";
    for (const ask of ["allprop", "propname", "prop"] as const) {
      if (!is(name, ask)) continue;
      if (this.#asked !== undefined) throw malformed("it asks for two things");
      this.#asked = ask;
      if (ask === "prop") this.#inside = "prop";
    }
  }

  #property(name: PropertyName): void {
    if (this.#names.length === propfindLimits.properties) {
      throw new HoldfastError(ErrorCode.limitExceeded, "the PROPFIND asks for too many properties");
    }
    const known = this.#names.some(
      ({ namespace, local }) => namespace === name.namespace && local === name.local,
    );
    if (!known) this.#names.push(name);
  }

  result(): PropfindBody {
    switch (this.#asked) {
      case "allprop":
        return { ask: "allprop", include: this.#names };
      case "propname":
        return { ask: "propname" };
      case "prop":
        return { ask: "prop", names: this.#names };
      default:
        throw malformed("it asks for nothing");
    }
  }
}

function is({ namespace, local }: PropertyName, wanted: string): boolean {
  return namespace === dav && local === wanted;
}
