import { expect, test } from "vitest";
import type { WebScope } from "../../../fs/view/webPort.ts";
import { Resolver } from "../../../fs/webdav/resolver.ts";
import { daily, dir, file, folderOf } from "../dailyTrees.ts";
import { FixtureVault } from "../fixtureVault.ts";
import { viewOf } from "../viewWalk.ts";

test("history and @GMT folders are no way around a scope or an archived mode", async () => {
  const vault = new FixtureVault();
  const closed = dir({ f: file("secret", { mode: 0o644 }) }, { mode: 0o700, uid: 5, gid: 5 });
  daily(vault, [dir({ closed, home: dir({ g: file("open") }) })]);
  const view = viewOf(vault);
  const scope = { account: "anna", read: undefined };
  const find = async (path: string, of: WebScope = scope): Promise<string> => {
    const names = `anna/laptop/files/${path}`.split("/").map((name) => Buffer.from(name));
    return new Resolver(view, of).find(names).then(
      ({ kind }) => kind,
      ({ code }) => code,
    );
  };
  const ways = [folderOf(0), ".snapshots/@GMT-2026.01.01-00.00.00", "@GMT-2026.01.01-00.00.00"];
  const files = [...ways.map((way) => `${way}/closed/f`), `.history/closed/f/${folderOf(0)}`];
  for (const path of files) {
    expect(await find(path), path).toBe("file");
    expect(await find(path, { ...scope, asUser: { uid: 5, gids: [5] } }), path).toBe("file");
    expect(await find(path, { ...scope, asUser: { uid: 6, gids: [5] } }), path).toBe("forbidden");
    expect(await find(path, { ...scope, read: ["laptop", "files", "latest", "home"] }), path).toBe(
      "not-found",
    );
  }
  view.close();
});
