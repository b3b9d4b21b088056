// A gateway that replicates, as far as chain and manifest go: ARGV is the replica's folder, the folder of its memory, a name, how many generations,
// and the number of the operation of the store before which it kills itself (0: never; negative: after it). Tells its parent each generation that it appended.

import { pathToFileURL } from "node:url";
import { Replicas } from "../../../gateway/catalog/replicas.ts";
import { openIndexEnvironment } from "../../../gateway/index/environment.ts";
import { Manifest } from "../../../gateway/replica/chain/manifest.ts";
import { putProven, sha256 } from "../../../gateway/replica/chain/namedObjects.ts";
import { RootChain } from "../../../gateway/replica/chain/rootChain.ts";
import { FolderStore } from "../../../gateway/replica/folder/folderStore.ts";
import { packKey } from "../../../gateway/replica/keys.ts";
import type { ReplicaStore } from "../../../gateway/replica/replicaStore.ts";
import { ErrorCode, isHoldfastError } from "../../../vault/errors.ts";
import { PackKind } from "../../../vault/magic.ts";
import { contentOf, replica, rootsKey, vault } from "./chainFixture.ts";

const [folder = "", memoryFolder = "", name = "", generations = "1", killAt = "0"] = process.argv.slice(2);

const real = await FolderStore.open(folder, pathToFileURL(folder).href, true);
let operation = 0;
const kill = (): boolean => process.kill(process.pid, "SIGKILL");
const store: ReplicaStore = new Proxy(real, {
  get(target, member) {
    const value: unknown = Reflect.get(target, member, target);
    if (typeof value !== "function") return value;
    if (!["putIfAbsent", "delete"].includes(String(member))) return value.bind(target);
    return async (...args: unknown[]) => {
      operation++;
      if (operation === Number(killAt)) kill();
      const answer: unknown = await value.apply(target, args);
      if (operation === -Number(killAt)) kill();
      return answer;
    };
  },
});
const memory = new Replicas(openIndexEnvironment(memoryFolder));
const now = () => new Date("2026-11-25T12:00:00Z");
const chain = new RootChain({
  store,
  chain: "vault",
  id: vault,
  key: rootsKey,
  replica,
  memory,
  writer: name.repeat(32),
  now,
});

for (let done = 0; done < Number(generations); ) {
  try {
    const newest = await chain.newest();
    const manifest = await Manifest.load(store, vault, newest?.root);
    const generation = (newest?.root.generation ?? 0) + 1;
    const bytes = Buffer.from(`pack of ${name} ${generation} ${"x".repeat(200)}`);
    const pack = { name: sha256(bytes), bytes: bytes.length, kind: PackKind.data };
    const listed = manifest.hasPack(pack.name);
    if (!listed) await putProven(store, packKey(vault, pack.name), bytes);
    const next = await manifest.next(generation, { packs: listed ? [] : [pack] });
    await manifest.put(next);
    const { outcome, found } = await chain.append(
      { ...contentOf(`${generation}`), ...next.summary },
      { takeOver: true },
    );
    if (outcome === "overtaken") continue;
    manifest.committed(next);
    await manifest.sweep();
    process.send?.(found.root.generation);
    done++;
  } catch (error) {
    // Another one was faster, or its sweep took pages that this one was reading: once more from the newest root.
    const raced =
      isHoldfastError(error, ErrorCode.replicaFenced) || isHoldfastError(error, ErrorCode.replicaDamaged);
    if (!raced) throw error;
  }
}
process.disconnect?.();
