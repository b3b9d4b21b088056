// WebDAV, class 1 and read-only (RFC 4918), over a view: parts of a request in, parts of an answer out. docs/webdav.md says what clients see.

import type { View } from "../view/view.ts";
import type { WebAnswer, WebFront, WebRequest, WebScope } from "../view/webPort.ts";
import { answerContent } from "./content.ts";
import { refuse, refuseFailure } from "./failure.ts";
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

export type WebDavOptions = ResolverOptions & {
  /** The view, opened when it is first needed. */
  readonly view: () => View;
  /** The folder of the server that all of it is below. */
  readonly base: string;
};

export class WebDav implements WebFront {
  readonly #options: WebDavOptions;
  readonly #base: readonly Buffer[];
  readonly #listings = new Slots(webDavLimits.listings, webDavLimits.listingsPerAccount);
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
    const resolver = new Resolver(view, scope, this.#options);
    const resource = await resolver.find(target.path.slice(base.length));
    const owner = scope.account;
    if (asked !== undefined) {
      const slots = this.#listings;
      return answerPropfind({ view, resolver, request, asked, resource, base, slots, owner });
    }
    if (resource.kind === "collection") return refuse(request, { status: 403, message: "a folder" });
    return answerContent({ view, resolver, request, resource, slots: this.#downloads, owner });
  }
}
