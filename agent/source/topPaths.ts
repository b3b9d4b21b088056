// The paths that a person named, as a tree from `/`: a snapshot holds absolute paths, so the folders on the way to them
// are recorded too, but only what was named below them.

import { realpathSync } from "node:fs";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { type Listing, ListingBuilder } from "../platform/listing.ts";

export type TopNode = {
  /** By name as latin1, so that bytes survive. */
  readonly children: Map<string, TopNode>;
  /** This very path was named: everything below belongs to the backup. */
  target: boolean;
};

/** A path as bytes, with what a symbolic link on the way to it stood for. */
export type TopPath = { readonly path: Buffer; readonly resolvedFrom: string | undefined };

const slash = 0x2f;

/**
 * Resolves the named paths: absolute, without links. A link that was named itself stands for what it points to, because a backup
 * of a link alone would be an unpleasant surprise.
 * @throws HoldfastError not-found where a path is not there; usage where none was given
 */
export function resolveTopPaths(paths: readonly string[]): TopPath[] {
  if (paths.length === 0) {
    throw new HoldfastError(ErrorCode.usage, "no path to back up", {
      next: "Name at least one file or folder.",
    });
  }
  return paths.map((path) => {
    try {
      const real = realpathSync(path, { encoding: "buffer" }) as unknown as Buffer;
      const named = Buffer.from(path.length > 1 ? path.replace(/\/+$/, "") : path);
      const differs = named[0] === slash && !named.equals(real);
      return { path: real, resolvedFrom: differs ? path : undefined };
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code ?? "";
      throw new HoldfastError(
        ErrorCode.notFound,
        `cannot back up ${path}: ${code === "ENOENT" ? "it does not exist" : code}`,
        {
          next: "Check the path; nothing was backed up.",
          cause,
        },
      );
    }
  });
}

/** The names below a folder on the way to what was named, as its listing. */
export function topListing(top: TopNode): Listing {
  const builder = new ListingBuilder();
  for (const child of top.children.keys()) {
    const name = Buffer.from(child, "latin1");
    builder.add(name, 0, name.length, 0);
  }
  return builder.finish();
}

/** The tree of the named paths. What lies below another named path needs no node of its own. */
export function topTree(paths: readonly Uint8Array[]): TopNode {
  const root: TopNode = { children: new Map(), target: false };
  for (const path of paths) {
    let node = root;
    for (const name of Buffer.from(path).toString("latin1").split("/")) {
      if (name === "") continue;
      if (node.target) break;
      const child = node.children.get(name) ?? { children: new Map<string, TopNode>(), target: false };
      node.children.set(name, child);
      node = child;
    }
    node.target = true;
    node.children.clear();
  }
  return root;
}
