// Going about in the view of a fixture vault.

import type { Keyring } from "../../fs/view/ports.ts";
import { createCaches } from "../../fs/view/recordOpener.ts";
import { VaultView } from "../../fs/view/vaultView.ts";
import type { ViewNode } from "../../fs/view/view.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import type { FixtureVault } from "./fixtureVault.ts";

/** A keyring that tests turn. */
export class Ring implements Keyring {
  keys: VaultKeys | undefined;
  readonly #listeners = new Set<() => void>();

  constructor(keys: VaultKeys | undefined) {
    this.keys = keys;
  }

  keysOf(): VaultKeys | undefined {
    return this.keys;
  }

  onChanged(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  set(keys: VaultKeys | undefined): void {
    this.keys = keys;
    for (const listener of this.#listeners) listener();
  }
}

export function viewOf(vault: FixtureVault, ring = new Ring(vault.keys)): VaultView {
  return new VaultView({ source: vault, catalog: vault, keyring: ring, caches: createCaches() });
}

/** The node at a path of a drive, by look-ups. */
export async function walk(view: VaultView, path: string): Promise<ViewNode> {
  let node = view.root;
  for (const name of path.split("/").filter((part) => part !== "")) {
    const next = await view.lookup(node, Buffer.from(name));
    if (next === undefined) throw new Error(`${name} of ${path} is not there`);
    node = next;
  }
  return node;
}

/** What a directory lists, a character per byte. */
export async function namesOf(view: VaultView, node: ViewNode, rowsMax = 1000): Promise<string[]> {
  const names: string[] = [];
  for (let from: bigint | undefined = 0n; from !== undefined; ) {
    const page: Awaited<ReturnType<VaultView["readPage"]>> = await view.readPage(node, from, rowsMax);
    for (const { name } of page.rows) names.push(Buffer.from(name).toString("latin1"));
    from = page.next;
  }
  return names;
}
