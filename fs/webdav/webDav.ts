// WebDAV, class 1 and read-only (RFC 4918), over a view: parts of a request in, parts of an answer out. docs/webdav.md says what clients see.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { historyName } from "../view/historyFolders.ts";
import type { PathHistory, PathVersion } from "../view/ports.ts";
import type { View } from "../view/view.ts";
import type { WebAnswer, WebFront, WebRequest, WebScope } from "../view/webPort.ts";
import { type Archiver, answerArchive, isArchivable } from "./archiveAnswer.ts";
import { answerContent } from "./content.ts";
import { refuse, refuseFailure } from "./failure.ts";
import { FoundPaths } from "./foundPaths.ts";
import { answerIndex } from "./htmlIndex.ts";
import { answerPropfind, answerServerRoot, readPropfind } from "./propfind.ts";
import { Resolver, type ResolverOptions } from "./resolver.ts";
import { Slots } from "./slots.ts";
import { parseTarget } from "./target.ts";

const allowed = "OPTIONS, GET, HEAD, PROPFIND";

/** What WebDAV has to change things and to lock them, and relatives. All of it is refused before anybody logs in. */
const changing = new Set(
  (
    "PUT POST PATCH DELETE MKCOL COPY MOVE PROPPATCH LOCK UNLOCK ACL BIND UNBIND REBIND LINK UNLINK " +
    "MKACTIVITY MKCALENDAR CHECKOUT MERGE"
  ).split(" "),
);

export const webDavLimits = {
  /** Listings and downloads under way at a time, in all and for one account; more wait. */
  listings: 16,
  listingsPerAccount: 6,
  downloads: 64,
  downloadsPerAccount: 32,
} as const;

export type WebDavOptions = Omit<ResolverOptions, "found"> & {
  /** The view, opened when it is first needed. */
  readonly view: () => View;
  /** The folder of the server that all of it is below. */
  readonly base: string;
  readonly archiver: Archiver;
  readonly history: PathHistory;
};

export class WebDav implements WebFront {
  readonly #options: WebDavOptions;
  readonly #base: readonly Buffer[];
  readonly #listings = new Slots(webDavLimits.listings, webDavLimits.listingsPerAccount);
  #found: { readonly view: View; readonly paths: FoundPaths } | undefined;
  readonly #downloads = new Slots(webDavLimits.downloads, webDavLimits.downloadsPerAccount);

  constructor(options: WebDavOptions) {
    this.#options = options;
    this.#base = [Buffer.from(options.base)];
  }

  answerAnybody(request: WebRequest): WebAnswer | undefined {
    const { method } = request;
    if (method === "OPTIONS") {
      return {
        status: 200,
        headers: { dav: "1", "ms-author-via": "DAV", allow: allowed, "content-length": "0" },
      };
    }
    if (method === "GET" || method === "HEAD" || method === "PROPFIND") return undefined;
    if (changing.has(method)) return refuse(request, { status: 403, message: "backups are read-only" });
    return refuse(request, {
      status: 405,
      message: `${method} is not known here`,
      headers: { allow: allowed },
    });
  }

  async answer(request: WebRequest, scope: WebScope): Promise<WebAnswer> {
    try {
      return await this.#answer(request, scope);
    } catch (error) {
      return refuseFailure(request, error);
    }
  }

  async #answer(request: WebRequest, scope: WebScope): Promise<WebAnswer> {
    const target = parseTarget(request.target);
    if (target === undefined) return refuse(request, { status: 400, message: "the address is malformed" });
    const asked = request.method === "PROPFIND" ? await readPropfind(request) : undefined;
    if (asked !== undefined && "status" in asked) return asked;
    const view = this.#options.view();
    const base = this.#base;
    if (target.path.length === 0 && asked !== undefined) return answerServerRoot(view, request, asked, base);
    if (!base.every((name, depth) => target.path[depth]?.equals(name))) {
      return refuse(request, { status: 404, message: "there is nothing at this address" });
    }
    const resolver = this.#resolver(view, scope);
    const resource = await resolver.find(target.path.slice(base.length));
    const owner = scope.account;
    if (asked !== undefined) {
      const slots = this.#listings;
      return answerPropfind({ view, resolver, request, asked, resource, base, slots, owner });
    }
    const downloads = this.#downloads;
    const { archiver } = this.#options;
    const format = /(?:^|&)archive=([^&]*)/.exec(target.query)?.[1];
    if (format !== undefined) {
      if (!Object.hasOwn(archiver.formats, format)) {
        const formats = Object.keys(archiver.formats).join(" or ");
        return refuse(request, { status: 400, message: `an archive is ${formats}` });
      }
      return answerArchive({ archiver, format, view, scope, resolver, request, resource, slots: downloads });
    }
    if (resource.kind !== "collection") {
      return answerContent({ view, resolver, request, resource, slots: downloads, owner });
    }
    const archives = isArchivable(resolver, resource) ? Object.keys(archiver.formats) : [];
    const slots = this.#listings;
    const { query } = target;
    return answerIndex({ resolver, request, collection: resource, base, query, archives, slots, owner });
  }

  #resolver(view: View, scope: WebScope): Resolver {
    if (this.#found?.view !== view) this.#found = { view, paths: new FoundPaths(view) };
    const { hideLinks } = this.#options;
    return new Resolver(view, scope, { ...(hideLinks && { hideLinks }), found: this.#found.paths });
  }

  async archive(request: WebRequest, scope: WebScope, path: string, format: string): Promise<WebAnswer> {
    const { archiver } = this.#options;
    const view = this.#options.view();
    const resolver = this.#resolver(view, scope);
    const resource = await resolver.find(namesOf(path));
    const slots = this.#downloads;
    return answerArchive({ archiver, format, view, scope, resolver, request, resource, slots });
  }

  async *history(request: WebRequest, scope: WebScope, path: string): AsyncIterable<PathVersion> {
    const [account, device, item, ...names] = namesOf(path);
    if (account === undefined || device === undefined || item === undefined) {
      throw new HoldfastError(ErrorCode.usage, "a history is of a path below account/device/item");
    }
    // Found as a folder first: that is what scope and permissions speak of.
    const resolver = new Resolver(this.#options.view(), scope);
    await resolver.find([account, device, item, historyFolder, ...names.map(historyName)]);
    // Devices and items are called as their folders.
    const asked = { account: scope.account, device: device.toString(), item: item.toString(), names };
    yield* this.#options.history(asked, request.signal);
  }
}

const historyFolder = Buffer.from(".history");

/** @throws HoldfastError usage */
function namesOf(path: string): readonly Buffer[] {
  const names = parseTarget(`/${path}`)?.path;
  if (names === undefined) throw new HoldfastError(ErrorCode.usage, "the address is malformed");
  return names;
}
