// Symbolic links of a snapshot: WebDAV has none. A link to a file inside the snapshot shows that file; all others (to a
// directory, to nothing, out of the snapshot or of what may be seen) stay links, so no path can go in circles.

import { NodeKind, type View, type ViewNode } from "../view/view.ts";
import { type AsUser, mayDo, Permission } from "./permissions.ts";
import type { Step } from "./resource.ts";

/** As Linux: so many links on the way, then it is a loop. */
const linksMax = 40;
/** Names looked up for one link: a hostile tree must not make a listing endless. */
const lookupsMax = 512;

export type LinkToFollow = {
  readonly view: View;
  /** Directories from the snapshot's root to the one that holds the link. */
  readonly chain: readonly Step[];
  /** False when the chain begins below the snapshot's root: what is above it, and "/", is then out of reach. */
  readonly whole: boolean;
  readonly target: Uint8Array;
  readonly asUser: AsUser;
  /** Whether something at these names below the snapshot's root may be seen. */
  readonly visible: (names: readonly Buffer[]) => boolean;
};

/** The file that a link leads to; undefined when it leads to none. @throws HoldfastError what reading directories fails with */
export async function fileBehind(link: LinkToFollow): Promise<ViewNode | undefined> {
  const { view, asUser, whole } = link;
  const stack = [...link.chain];
  const left = segmentsOf(link.target).reverse();
  if (startsAtRoot(link.target)) {
    if (!whole) return undefined;
    stack.length = 1;
  }
  let links = 1;
  for (let lookups = 0; lookups < lookupsMax && left.length > 0; lookups++) {
    const name = left.pop() as Buffer;
    if (name.equals(up)) {
      if (stack.length > 1) stack.pop();
      else if (!whole) return undefined;
      continue;
    }
    const top = (stack.at(-1) as Step).node;
    if (!(await mayDo(view, top, asUser, Permission.enter))) return undefined;
    const found = await view.lookup(top, name);
    const kind = found?.attributes.kind;
    if (found === undefined) return undefined;
    if (kind === NodeKind.directory) stack.push({ name, node: found });
    else if (kind === NodeKind.symlink) {
      if (++links > linksMax) return undefined;
      const target = await view.readlink(found);
      if (startsAtRoot(target)) {
        if (!whole) return undefined;
        stack.length = 1;
      }
      left.push(...segmentsOf(target).reverse());
    } else if (kind === NodeKind.file && left.length === 0) {
      const names = [...stack.slice(1).map((step) => step.name), name];
      return link.visible(names) ? found : undefined;
    } else return undefined;
  }
  return undefined;
}

const up = Buffer.from("..");
const slash = 0x2f;

function startsAtRoot(target: Uint8Array): boolean {
  return target[0] === slash;
}

/** The names in a target, without empty ones and ".". */
function segmentsOf(target: Uint8Array): Buffer[] {
  const parts = Buffer.from(target).toString("latin1").split("/");
  return parts.filter((part) => part !== "" && part !== ".").map((part) => Buffer.from(part, "latin1"));
}
