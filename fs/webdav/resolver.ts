// Finds resources by path and lists collections, inside what a request may see.
//
// Invariants: every name is checked against the scope before it is looked up, so what lies outside answers exactly as what does not
// exist; no directory is entered or listed that `asUser` may not, be it in a snapshot or above (folders of histories have modes of
// their own); links to directories are never followed, but for those above snapshots (`latest`), which the view itself makes.

import { asBuffer } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { folderName } from "../view/folderNames.ts";
import { type DirectoryRow, NodeKind, type View, type ViewNode } from "../view/view.ts";
import type { WebScope } from "../view/webPort.ts";
import { type Found, type FoundPaths, foundKey } from "./foundPaths.ts";
import { fileBehind } from "./links.ts";
import { mayDo, Permission } from "./permissions.ts";
import type { Resource, Step } from "./resource.ts";

/** Names above what is in an item's folder: account, device, item. Only there does the view itself make links. */
const itemDepth = 3;

export type ResolverOptions = {
  /** Leave out symbolic links that lead to no file of the snapshot, instead of showing them as small files. */
  readonly hideLinks?: () => boolean;
  /** What was found before in this view. */
  readonly found?: FoundPaths;
};

/** A page of a collection. `next` goes to the next call; undefined at the end. */
export type ListingPage = { readonly rows: readonly Resource[]; readonly next: bigint | undefined };

/** Names in the path of a snapshot: account, device, item, time. What begins deeper is a version of a path in a history. */
const snapshotDepth = 4;

export class Resolver {
  readonly #view: View;
  readonly #scope: WebScope;
  /** Names that a path must begin with. */
  readonly #prefix: readonly Buffer[];
  readonly #hideLinks: boolean;
  readonly #found: FoundPaths | undefined;

  constructor(view: View, scope: WebScope, options: ResolverOptions = {}) {
    this.#view = view;
    this.#scope = scope;
    this.#prefix = [folderName(scope.account), ...(scope.read ?? [])].map((name) => Buffer.from(name));
    this.#hideLinks = options.hideLinks?.() === true;
    this.#found = options.found;
  }

  /** @throws HoldfastError not-found, forbidden, vault-locked, and what reading directories fails with */
  async find(path: readonly Buffer[]): Promise<Resource> {
    let at: Found = { node: this.#view.root, chain: undefined, direct: true };
    for (const [depth, name] of path.entries()) {
      if (at.node.immutable && at.chain === undefined) {
        at = await this.#inside(at, path, depth);
        break;
      }
      at = await this.#step(at, name, path.slice(0, depth));
    }
    const resource = await this.#resource(at, path);
    if (resource === undefined) throw notFound();
    return resource;
  }

  /** The rest of a path, from the first node that never changes on: found once for all who may see the same. */
  async #inside(root: Found, path: readonly Buffer[], depth: number): Promise<Found> {
    const { asUser } = this.#scope;
    for (const [above, wanted] of this.#prefix.entries()) {
      if (path[above]?.equals(wanted) === false) throw notFound();
    }
    const key = foundKey(root.direct, path.slice(depth - 1), asUser);
    const known = this.#found?.get(root.node, key);
    if (known !== undefined) return known;
    let at = root;
    for (let below = depth; below < path.length; below++) {
      at = await this.#step(at, path[below] as Buffer, path.slice(0, below));
    }
    this.#found?.keep(root.node, key, at);
    return at;
  }

  async #step(at: Found, name: Buffer, above: readonly Buffer[]): Promise<Found> {
    const { node } = at;
    const wanted = this.#prefix[above.length];
    if (wanted !== undefined && !wanted.equals(name)) throw notFound();
    if (node.attributes.kind !== NodeKind.directory) throw notFound();
    const chain = insideOf(at, above);
    await this.#demand(node, Permission.enter);
    const child = await this.#view.lookup(node, name);
    if (child === undefined) throw notFound();
    return this.#below(at, child, chain, above.length);
  }

  /** A child as it is shown: in an item's folder, a link to a folder beside it (`latest`) leads there. */
  async #below(
    { node, direct }: Found,
    child: ViewNode,
    chain: readonly Step[] | undefined,
    depth: number,
  ): Promise<Found> {
    if (depth === itemDepth && child.attributes.kind === NodeKind.symlink) {
      const target = Buffer.from(await this.#view.readlink(child));
      const beside = target.includes("/") ? undefined : await this.#view.lookup(node, target);
      if (beside?.attributes.kind === NodeKind.directory) return { node: beside, chain, direct: false };
    }
    return { node: child, chain, direct };
  }

  /** The resource of a node; undefined for what is not shown. */
  async #resource({ node, chain, direct }: Found, path: readonly Buffer[]): Promise<Resource | undefined> {
    const { attributes } = node;
    if (attributes.kind === NodeKind.directory)
      return { path, kind: "collection", node, attributes, size: 0, chain, direct };
    if (attributes.kind === NodeKind.file)
      return { path, kind: "file", node, attributes, size: Number(attributes.size), chain, direct };
    if (attributes.kind !== NodeKind.symlink) return undefined;
    const target = await this.#view.readlink(node);
    const behind = chain === undefined ? undefined : await this.#fileBehind(target, chain, path);
    if (behind !== undefined) {
      const shown = behind.attributes;
      const size = Number(shown.size);
      return { path, kind: "file", node: behind, attributes: shown, size, target, chain, direct };
    }
    if (this.#hideLinks) return undefined;
    return { path, kind: "link", node, attributes, size: target.length, target, chain, direct };
  }

  #fileBehind(
    target: Uint8Array,
    chain: readonly Step[],
    path: readonly Buffer[],
  ): Promise<ViewNode | undefined> {
    const root = path.slice(0, path.length - chain.length);
    const visible = (names: readonly Buffer[]): boolean => this.covers([...root, ...names]);
    const whole = root.length === snapshotDepth;
    return fileBehind({ view: this.#view, chain, whole, target, asUser: this.#scope.asUser, visible });
  }

  /** Whether all below this path may be seen. */
  covers(path: readonly Buffer[]): boolean {
    return this.#prefix.every((name, depth) => path[depth]?.equals(name));
  }

  /**
   * A page of the resources in a collection, in the view's order. `from`: 0n, or the `next` of an earlier page.
   * @throws HoldfastError as find
   */
  async list(collection: Resource, from: bigint, rowsMax: number): Promise<ListingPage> {
    const { node, path } = collection;
    const chain = insideOf(collection, path);
    await this.#demand(node, Permission.list);
    const only = this.#prefix[path.length];
    if (only !== undefined) {
      const child = await this.#view.lookup(node, only);
      const rows = child === undefined ? [] : [{ name: only, node: child }];
      return { rows: await this.#rows(collection, rows, chain), next: undefined };
    }
    const { rows, next } = await this.#view.readPage(node, from, rowsMax);
    return { rows: await this.#rows(collection, rows, chain), next };
  }

  async #rows(
    collection: Resource,
    rows: readonly DirectoryRow[],
    chain: readonly Step[] | undefined,
  ): Promise<Resource[]> {
    const shown: Resource[] = [];
    for (const { name, node } of rows) {
      const path = [...collection.path, asBuffer(name)];
      const resource = await this.#resource(
        await this.#below(collection, node, chain, path.length - 1),
        path,
      );
      if (resource !== undefined) shown.push(resource);
    }
    return shown;
  }

  /** Whether the scope's user may read a file. @throws HoldfastError forbidden */
  async demandRead(resource: Resource): Promise<void> {
    await this.#demand(resource.node, Permission.read);
  }

  async #demand(node: ViewNode, wanted: number): Promise<void> {
    if (await mayDo(this.#view, node, this.#scope.asUser, wanted)) return;
    throw new HoldfastError(ErrorCode.forbidden, "the archived permissions do not let this user in");
  }
}

/** The chain for the children of a directory: begun by the first that can never change, which is a snapshot's root. */
function insideOf(directory: Found, path: readonly Buffer[]): readonly Step[] | undefined {
  const { node, chain } = directory;
  if (chain === undefined && !node.immutable) return undefined;
  return [...(chain ?? []), { name: path.at(-1) ?? Buffer.alloc(0), node }];
}

function notFound(): HoldfastError {
  return new HoldfastError(ErrorCode.notFound, "there is nothing at this address");
}
