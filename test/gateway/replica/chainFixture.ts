// A folder replica with chains of one vault in it, each with a memory of its own: as the data directories of several gateways.

import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Replicas } from "../../../gateway/catalog/replicas.ts";
import { type IndexEnvironment, openIndexEnvironment } from "../../../gateway/index/environment.ts";
import { RootChain, type RootContent } from "../../../gateway/replica/chain/rootChain.ts";
import { FolderStore } from "../../../gateway/replica/folder/folderStore.ts";
import { markFolder } from "../../../gateway/replica/folder/marker.ts";
import type { ReplicaStore } from "../../../gateway/replica/replicaStore.ts";
import { fromHex, toHex } from "../../../vault/bytes.ts";
import { vaultRootKey } from "../../../vault/replica/root.ts";
import { seededBytes, seededId } from "../../vault/seeded.ts";

export const vault = "5e".repeat(16);
export const replica = "7a".repeat(16);
export const rootsKey = vaultRootKey(seededBytes("metadata key", 32), fromHex(vault));

/** Content of a root whose manifest is not looked at. */
export function contentOf(label: string): RootContent<"vault"> {
  const sha256 = toHex(seededId(label));
  return {
    document: { name: "vault.json", bytes: 100, sha256 },
    keys: { name: "keys/00000001.json", bytes: 100, sha256 },
    catalog: { name: `catalog/${sha256}`, bytes: 100, sha256 },
    manifest: { name: `manifest/${sha256}`, bytes: 104, sha256 },
    packs: 0,
    packBytes: 0,
    snapshots: 0,
    merkle: sha256,
  };
}

/** One gateway: its memory of what it saw, and its chain. */
export type Gateway = {
  readonly chain: RootChain<"vault">;
  readonly memory: Replicas;
  readonly directory: string;
};

export class ChainPlace {
  readonly folder: string;
  readonly #base: string;
  readonly #environments: IndexEnvironment[] = [];

  private constructor(base: string) {
    this.#base = base;
    this.folder = join(base, "replica");
  }

  static async make(): Promise<ChainPlace> {
    const place = new ChainPlace(await mkdtemp(join(tmpdir(), "holdfast-chain-")));
    await markFolder(place.folder);
    return place;
  }

  store(conditionalPuts = true): Promise<FolderStore> {
    return FolderStore.open(this.folder, pathToFileURL(this.folder).href, conditionalPuts);
  }

  memory(name: string): { readonly memory: Replicas; readonly directory: string } {
    const directory = join(this.#base, name);
    const environment = openIndexEnvironment(directory);
    this.#environments.push(environment);
    return { memory: new Replicas(environment), directory };
  }

  chain(memory: Replicas, store: ReplicaStore, writer = "aa"): RootChain<"vault"> {
    return chainOf(memory, store, writer);
  }

  async gateway(name: string, store?: ReplicaStore): Promise<Gateway> {
    const { memory, directory } = this.memory(name);
    return { chain: chainOf(memory, store ?? (await this.store()), name), memory, directory };
  }

  /** A gateway on a copy of another's disk. */
  async clone(of: Gateway, name: string): Promise<Gateway> {
    await cp(of.directory, join(this.#base, name), { recursive: true });
    return this.gateway(name);
  }

  rootFile(generation: number): string {
    return join(this.folder, "vaults", vault, "root", String(generation).padStart(10, "0"));
  }

  async remove(): Promise<void> {
    for (const environment of this.#environments) await environment.close();
    await rm(this.#base, { recursive: true });
  }
}

function chainOf(memory: Replicas, store: ReplicaStore, writer: string): RootChain<"vault"> {
  return new RootChain({
    store,
    chain: "vault",
    id: vault,
    key: rootsKey,
    replica,
    memory,
    writer: toHex(seededBytes(`writer ${writer}`, 16)),
    now: () => new Date("2026-11-25T12:00:00Z"),
  });
}

/** A store that calls `before` and `after` around every put, and may throw from them. */
export function watchedStore(
  store: ReplicaStore,
  watch: {
    readonly before?: (key: string) => Promise<void> | void;
    readonly after?: (key: string) => Promise<void> | void;
  },
): ReplicaStore {
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      if (name !== "putIfAbsent") return member.bind(target);
      return async (...args: Parameters<ReplicaStore["putIfAbsent"]>) => {
        await watch.before?.(args[0]);
        const answer = await target.putIfAbsent(...args);
        await watch.after?.(args[0]);
        return answer;
      };
    },
  });
}
