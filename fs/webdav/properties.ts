// The properties of resources, as XML. `D:` is DAV: everywhere; a namespace that we do not know is declared where it is used.

import { NodeKind, type View } from "../view/view.ts";
import { httpDate, isoDate } from "./httpDate.ts";
import { escapeMarkup } from "./markup.ts";
import { mediaType } from "./mediaTypes.ts";
import type { PropertyName, PropfindBody } from "./propfindBody.ts";
import { type Resource, shownName } from "./resource.ts";
import { etagOf } from "./validators.ts";

/** The value of a property as XML ("" for an empty element); undefined where the resource has none. */
type Value = (view: View, resource: Resource) => string | undefined;

const collectionType = "<D:collection/>";

const davProperties: Readonly<Record<string, Value>> = {
  resourcetype: (_view, { kind }) => (kind === "collection" ? collectionType : ""),
  getcontentlength: (_view, { kind, size }) => (kind === "collection" ? undefined : String(size)),
  getlastmodified: (_view, { attributes, chain }) =>
    // Folders above snapshots need not have a time.
    attributes.mtimeNs === 0n && chain === undefined ? undefined : httpDate(attributes.mtimeNs),
  getetag: etagOf,
  getcontenttype: (_view, { kind, path }) =>
    kind === "file" ? mediaType(path.at(-1) ?? Buffer.alloc(0)) : kind === "link" ? "text/plain" : undefined,
  creationdate: (_view, { attributes }) =>
    attributes.birthtimeNs === 0n ? undefined : isoDate(attributes.birthtimeNs),
  displayname: (_view, resource) => escapeMarkup(shownName(resource)),
  supportedlock: () => "",
  lockdiscovery: () => "",
};

/** What mod_dav invented and davfs2 asks for. */
const apacheNamespace = "http://apache.org/dav/props/";
const executable: Value = (_view, { kind, attributes }) =>
  kind === "file" && attributes.kind === NodeKind.file
    ? (attributes.mode & 0o111) === 0
      ? "F"
      : "T"
    : undefined;

/** Of allprop: few, for Windows takes no listing over 1 MB by default. Locks, names and types are told to who asks. */
const allprop = ["resourcetype", "getcontentlength", "getlastmodified", "getetag", "creationdate"];

type Column = {
  /** The element's name with its namespace. */
  readonly open: string;
  readonly close: string;
  readonly empty: string;
  readonly value: Value | undefined;
};

function columnOf({ namespace, local }: PropertyName): Column {
  if (namespace === "DAV:") {
    const value = Object.hasOwn(davProperties, local) ? davProperties[local] : undefined;
    return { open: `<D:${local}>`, close: `</D:${local}>`, empty: `<D:${local}/>`, value };
  }
  const value = namespace === apacheNamespace && local === "executable" ? executable : undefined;
  // Without a namespace there can be no prefix.
  const name = namespace === "" ? local : `x:${local}`;
  const declared = `${name} ${namespace === "" ? "xmlns" : "xmlns:x"}="${escapeMarkup(namespace)}"`;
  return { open: `<${declared}>`, close: `</${name}>`, empty: `<${declared}/>`, value };
}

const davName = (local: string): PropertyName => ({ namespace: "DAV:", local });

/** Writes the propstat elements of one resource after the other. */
export class PropertyWriter {
  readonly #view: View;
  readonly #columns: readonly Column[];
  /** Whether what a resource does not have is told. */
  readonly #tellMissing: boolean;
  readonly #namesOnly: boolean;

  /** `brief`: leave out what is not there (Prefer: return=minimal, Brief: t). */
  constructor(view: View, asked: PropfindBody, brief: boolean) {
    this.#view = view;
    const names =
      asked.ask === "prop"
        ? asked.names
        : asked.ask === "propname"
          ? Object.keys(davProperties).map(davName)
          : [...allprop.map(davName), ...asked.include];
    this.#columns = names.map(columnOf);
    this.#tellMissing = asked.ask === "prop" && !brief;
    this.#namesOnly = asked.ask === "propname";
  }

  write(resource: Resource): string {
    let found = "";
    let missing = "";
    for (const column of this.#columns) {
      const value = column.value?.(this.#view, resource);
      if (value === undefined) {
        if (this.#tellMissing) missing += column.empty;
      } else if (value === "" || this.#namesOnly) found += column.empty;
      else found += column.open + value + column.close;
    }
    // A response without any propstat is not allowed, and an empty one is harmless.
    const first = found === "" && missing !== "" ? "" : propstat(found, "200 OK");
    return missing === "" ? first : first + propstat(missing, "404 Not Found");
  }
}

function propstat(properties: string, status: string): string {
  return `<D:propstat><D:prop>${properties}</D:prop><D:status>HTTP/1.1 ${status}</D:status></D:propstat>`;
}
