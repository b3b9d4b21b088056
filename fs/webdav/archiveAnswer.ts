// ?archive=zip or tar: a whole folder of a snapshot in one file, made while it is sent.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { View, ViewNode } from "../view/view.ts";
import type { WebAnswer, WebRequest, WebScope } from "../view/webPort.ts";
import { permittedView } from "./permittedView.ts";
import type { Resolver } from "./resolver.ts";
import { type Resource, shownName } from "./resource.ts";
import type { Slots } from "./slots.ts";
import { streamed } from "./streaming.ts";
import { encodeSegment } from "./target.ts";

/** What makes archives (fs/archive, which this room does not know). */
export interface Archiver {
  readonly formats: Readonly<Record<string, { readonly mediaType: string; readonly extension: string }>>;
  /** The bytes of an archive of a folder or file of a snapshot, called `name` inside it. */
  make(view: View, node: ViewNode, options: ArchiverOptions): AsyncGenerator<Buffer, void, void>;
  /** How many bytes `make` gives, from a walk through all metadata; undefined where only making it tells. */
  length(view: View, node: ViewNode, options: ArchiverOptions): Promise<number | undefined>;
}

export type ArchiverOptions = {
  readonly format: string;
  readonly name: Buffer;
  readonly signal: AbortSignal;
};

export type ArchiveParts = {
  readonly archiver: Archiver;
  readonly format: string;
  readonly view: View;
  readonly scope: WebScope;
  readonly resolver: Resolver;
  readonly request: WebRequest;
  readonly resource: Resource;
  readonly slots: Slots;
};

/** Whether a resource can be had as an archive: it is inside a snapshot, and everything below it may be seen. */
export function isArchivable(resolver: Resolver, { node, path }: Resource): boolean {
  return node.immutable && resolver.covers(path);
}

/** @throws HoldfastError usage for another format, forbidden, and what making the first piece fails with */
export async function answerArchive(parts: ArchiveParts): Promise<WebAnswer> {
  const { archiver, format, view, scope, resolver, request, resource, slots } = parts;
  const known = Object.hasOwn(archiver.formats, format) ? archiver.formats[format] : undefined;
  if (known === undefined) throw new HoldfastError(ErrorCode.usage, "no such format of archives");
  if (!isArchivable(resolver, resource)) {
    throw new HoldfastError(
      ErrorCode.forbidden,
      "only what is inside one snapshot can be had as an archive",
      {
        next: "Name a snapshot's folder, or a file or folder in it.",
      },
    );
  }
  if (resource.kind === "collection") await resolver.list(resource, 0n, 1);
  else await resolver.demandRead(resource);
  const name = resource.path.at(-1) ?? Buffer.from("backup");
  const headers = {
    "content-type": known.mediaType,
    "content-disposition": disposition(shownName(resource) || "backup", name, known.extension),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  };
  const { signal } = request;
  const owner = scope.account;
  const shown = permittedView(view, scope.asUser);
  const options = { format, name, signal };
  if (request.method === "HEAD") {
    const giveBack = await slots.take(owner, signal);
    const length = await archiver.length(shown, resource.node, options).finally(giveBack);
    return {
      status: 200,
      headers: length === undefined ? headers : { ...headers, "content-length": String(length) },
    };
  }
  const pieces = archiver.make(shown, resource.node, options);
  const first = await pieces.next();
  if (first.done === true) return { status: 200, headers, body: Buffer.alloc(0) };
  const body = streamed({ first: first.value, rest: () => pieces, slots, owner, signal });
  return { status: 200, headers, body };
}

/** RFC 6266: a plain name for old clients, the true one beside it. */
function disposition(shown: string, name: Buffer, extension: string): string {
  const plain = `${shown.replace(/[^\w .()+=@~-]/g, "_")}${extension}`;
  return `attachment; filename="${plain}"; filename*=UTF-8''${encodeSegment(Buffer.from(name.toString("utf8")))}${extension}`;
}
