// Paths inside snapshots are found once: for whoever may see the same, until the vault is locked, and only below what cannot change.

import { expect, test } from "vitest";
import { createCaches } from "../../../fs/view/recordOpener.ts";
import { VaultView } from "../../../fs/view/vaultView.ts";
import type { WebScope } from "../../../fs/view/webPort.ts";
import { FixtureVault } from "../fixtureVault.ts";
import { directory, file, type MemoryNode, node } from "../memoryView.ts";
import { directoryOf, fileOf } from "../treeSpec.ts";
import { ask, davOver, namespaceOf, time, top } from "./asking.ts";

const link = (target: string): MemoryNode => node("symlink", {}, { target: Buffer.from(target) });

test("the second request for a file looks up only what is above its snapshot", async () => {
  const view = namespaceOf(directory([["a", directory([["b", directory([["f", file("content")]])]])]]));
  const dav = davOver(view);
  const get = (path: string, scope?: WebScope) => ask(dav, "GET", path, scope === undefined ? {} : { scope });
  expect((await get(`${top}/a/b/f`)).text).toBe("content");
  const first = view.counts.lookup;
  expect((await get(`${top}/a/b/f`)).text).toBe("content");
  expect(view.counts.lookup - first).toBe(first - 3);
  expect((await get(`${top}/a/b/g`)).status).toBe(404);
  expect((await get(`${top}/a/b/g`)).status).toBe(404);
});

test("what one may see is no answer to another, in whichever order they ask", async () => {
  const secret = directory([["f", file("secret")]], { mode: 0o700, uid: 1, gid: 1 });
  const view = namespaceOf(
    directory([
      ["secret", secret],
      ["open", directory([["f", file("open")]])],
    ]),
  );
  const dav = davOver(view);
  const all: WebScope = { account: "alice", read: undefined };
  const one: WebScope = { account: "alice", read: undefined, asUser: { uid: 1, gids: [1] } };
  const two: WebScope = { account: "alice", read: undefined, asUser: { uid: 2, gids: [2] } };
  const part: WebScope = { account: "alice", read: ["pc", "files", time, "open"] };
  const bob: WebScope = { account: "bob", read: undefined };
  const statusOf = async (scope: WebScope, path: string): Promise<number> =>
    (await ask(dav, "GET", `${top}/${path}`, { scope })).status;
  for (let round = 0; round < 2; round++) {
    for (const [scope, secretly, openly] of [
      [all, 200, 200],
      [two, 403, 200],
      [part, 404, 200],
      [one, 200, 200],
      [bob, 404, 404],
    ] as const) {
      expect(await statusOf(scope, "secret/f")).toBe(secretly);
      expect(await statusOf(scope, "open/f")).toBe(openly);
    }
  }
});

test("a link above snapshots leads on when a new snapshot came", async () => {
  const later = "2026-11-23T054512Z";
  const old = directory([["d", directory([["f", file("old")]])]]);
  const view = namespaceOf(
    old,
    [later, directory([["d", directory([["f", file("new")]])]])],
    ["latest", link(time)],
  );
  const dav = davOver(view);
  const get = async (): Promise<string> => (await ask(dav, "GET", "/dav/alice/pc/files/latest/d/f")).text;
  expect(await get()).toBe("old");
  const files = ["alice", "pc", "files"].reduce(
    (at, name) => at.children?.get(name) as MemoryNode,
    view.root,
  );
  files.children?.set("latest", link(later));
  expect(await get()).toBe("new");
});

test("a locked vault shows nothing of what was found before, and everything when it is unlocked", async () => {
  const vault = new FixtureVault();
  vault.snapshot(directoryOf({ d: directoryOf({ f: fileOf(Buffer.from("content")) }) }));
  let unlocked = true;
  const listeners = new Set<() => void>();
  const keyring = {
    keysOf: () => (unlocked ? vault.keys : undefined),
    onChanged: (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const view = new VaultView({ source: vault, catalog: vault, keyring, caches: createCaches() });
  const dav = davOver(view);
  const scope: WebScope = { account: "anna", read: undefined };
  const set = (now: boolean): void => {
    unlocked = now;
    for (const listener of listeners) listener();
  };
  const get = () => ask(dav, "GET", "/dav/anna/laptop/files/latest/d/f", { scope });
  expect((await get()).text).toBe("content");
  expect((await get()).text).toBe("content");
  set(false);
  const refused = await get();
  expect(refused.status).not.toBe(200);
  expect(refused.text).not.toContain("content");
  set(true);
  await expect.poll(async () => (await get()).text).toBe("content");
  view.close();
});
