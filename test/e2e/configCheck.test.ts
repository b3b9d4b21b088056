// `config check` names the file, the key and what would be right.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { done, holdfast, lastEvent, scratchFolder } from "./program.ts";

test("config check: the gateway's file, the agent's, and none", async () => {
  const folder = scratchFolder();
  const [data, state] = [join(folder, "data"), join(folder, "state")];
  await done("gateway", "init", "--data", data, "--listen", "127.0.0.1:0", "--quiet");
  mkdirSync(state);
  expect(await done("config", "check", "--data", data)).toBe(`${data}/config.toml: good\n`);
  expect(await done("config", "check", "--state", state)).toContain("not there, and need not be");
  expect(lastEvent(await done("config", "check", "--data", data, "--state", state, "--json"))).toEqual({
    event: "done",
    checked: [join(data, "config.toml")],
  });
  const missing = await holdfast("config", "check", "--state", join(folder, "stat"));
  expect(missing.status).toBe(1);
  expect(missing.stderr).toContain("does not exist. Check the path.");

  const good = readFileSync(join(data, "config.toml"), "utf8");
  for (const [file, text, said] of [
    [data, `${good}listn = "x"\n`, /unknown key listn\. Its keys are: name, listen,/],
    [
      data,
      good.replace(/^reserve-mib = .*$/m, 'reserve-mib = "x"'),
      /reserve-mib is of the wrong type\. It is a number/,
    ],
    [data, "= no toml", /Mend the file\./],
    [
      state,
      '[backup]\nlimit-upload = "fast"\n',
      /\[backup\] limit-upload: table of rates .*column 1: .*\. Write it like/,
    ],
    [state, "[backup]\nexclud = 1\n", /\[backup\] has no key exclud\. Did you mean exclude\?/],
    [
      state,
      "[prune]\n",
      /prune is no table of the agent\. Its tables and keys are: enroll, address, backup,/,
    ],
  ] as const) {
    writeFileSync(join(file, "config.toml"), text);
    const ran = await holdfast("config", "check", file === data ? "--data" : "--state", file);
    expect(ran.status).toBe(2);
    expect(ran.stderr).toMatch(said);
    expect(ran.stderr.trim().split("\n")).toHaveLength(1);
  }
});
