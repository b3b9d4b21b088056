// The part of the nasty tree that is attributes: modes, owners, extended attributes, ACLs and, last, times.

import * as fs from "node:fs";
import { join } from "node:path";
import { run } from "./tool.ts";

/** Adds folders of entries with odd attributes below `root`. Foreign owners and trusted attributes need root. */
export function nastyAttributes(root: string): void {
  const asRoot = process.getuid?.() === 0;
  makeModes(root, asRoot);
  if (asRoot) makeOwners(root);
  makeXattrs(root, asRoot);
  makeAcls(root);
  makeTimes(root);
}

function makeModes(root: string, asRoot: boolean): void {
  const path = join(root, "modes");
  fs.mkdirSync(path);
  // Others than root could not read their own file without this bit, nor enter their folder.
  const own = asRoot ? 0 : 0o500;
  const modes = new Set<number>();
  for (let special = 0; special < 8; special++) {
    for (const bits of [0o000, 0o644, 0o755, 0o777, 0o111, 0o421]) modes.add((special << 9) | bits | own);
  }
  for (let bits = 0; bits < 0o1000; bits += 0o13) modes.add(bits | own);
  for (const mode of modes) {
    const name = mode.toString(8).padStart(4, "0");
    fs.writeFileSync(join(path, `f${name}`), name);
    fs.mkdirSync(join(path, `d${name}`));
    fs.writeFileSync(join(path, `d${name}`, "inside"), name);
    fs.chmodSync(join(path, `f${name}`), mode);
    fs.chmodSync(join(path, `d${name}`), mode);
  }
}

function makeOwners(root: string): void {
  const path = join(root, "owners");
  fs.mkdirSync(path);
  const ids = [0, 1, 65_534, 65_535, 65_536, 12_345, 2 ** 31 + 5, 2 ** 32 - 2];
  for (const uid of ids) {
    for (const gid of [0, 12_346, uid]) {
      const name = `${uid}-${gid}`;
      fs.writeFileSync(join(path, name), name);
      fs.mkdirSync(join(path, `d${name}`), { recursive: true });
      fs.symlinkSync("nowhere", join(path, `l${name}`));
      for (const kind of ["", "d", "l"]) fs.lchownSync(join(path, `${kind}${name}`), uid, gid);
      if (uid === gid) break;
    }
  }
  // Set last: a change of owner takes the setuid bit away.
  fs.writeFileSync(join(path, "setuid"), "");
  fs.chownSync(join(path, "setuid"), 12_345, 12_346);
  fs.chmodSync(join(path, "setuid"), 0o6755);
}

function makeXattrs(root: string, asRoot: boolean): void {
  const path = join(root, "xattrs");
  fs.mkdirSync(path);
  for (const name of ["one", "many", "large", "binary", "trusted"]) fs.writeFileSync(join(path, name), name);
  fs.mkdirSync(join(path, "folder"));
  fs.symlinkSync("one", join(path, "link"));
  const hex = (text: string) => `0x${Buffer.from(text, "latin1").toString("hex")}`;
  const blocks = [
    ["one", 'user.note="a note"'],
    ["many", ...Array.from({ length: 60 }, (_, index) => `user.n${index}=${hex(String(index))}`)],
    ["large", `user.large=${hex("L".repeat(3000))}`],
    ["binary", "user.zero=0x00", "user.empty=0x", "user.bytes=0x00ff0a0d00", "user.odd\\012\\377name=0x01"],
    ["folder", "user.folder=0x01"],
    ...(asRoot
      ? [
          ["trusted", "trusted.secret=0xdead", "security.test=0x01"],
          ["link", "trusted.onLink=0x02"],
        ]
      : []),
  ];
  const text = blocks.map(([name, ...lines]) => `# file: ${name}\n${lines.join("\n")}\n`).join("\n");
  run("setfattr", ["-h", "--restore=-"], path, Buffer.from(text, "latin1"));
  if (asRoot)
    run(
      "setfattr",
      ["-n", "security.capability", "-v", "0x0100000200040000000000000000000000000000", "one"],
      path,
    );
}

function makeAcls(root: string): void {
  const path = join(root, "acls");
  fs.mkdirSync(path);
  for (const name of ["user", "group", "mask", "many"]) fs.writeFileSync(join(path, name), name);
  for (const name of ["default", "both"]) fs.mkdirSync(join(path, name));
  run("setfacl", ["-m", "u:1234:rwx,u:4000000000:r", "user"], path);
  run("setfacl", ["-m", "g:4321:rx", "group"], path);
  run("setfacl", ["-m", "u:1:rwx,m::r", "mask"], path);
  run(
    "setfacl",
    ["-m", Array.from({ length: 30 }, (_, index) => `u:${2000 + index}:r`).join(), "many"],
    path,
  );
  run("setfacl", ["-d", "-m", "u:1234:rwx,g:4321:r", "default"], path);
  run("setfacl", ["-m", "u:77:x", "both"], path);
  run("setfacl", ["-d", "-m", "o::-,m::rx", "both"], path);
}

function makeTimes(root: string): void {
  const path = join(root, "times");
  fs.mkdirSync(path);
  // What ext4 holds: 1901 to 2446. 2038 is where 32 bits end.
  const times = [
    "0.000000001",
    "-0.000000001",
    "-1.5",
    "-2147483648",
    "2147483647.999999999",
    "2147483648.5",
  ];
  for (const time of [
    ...times,
    "1234567890.123456789",
    "15000000000.987654321",
    "0",
    "999999999.999999999",
  ]) {
    const [file, folder, link] = [`f${time}`, `d${time}`, `l${time}`];
    fs.writeFileSync(join(path, file), time);
    fs.mkdirSync(join(path, folder));
    fs.writeFileSync(join(path, folder, "inside"), time);
    fs.symlinkSync("nowhere", join(path, link));
    run("touch", ["-h", "-m", "-d", `@${time}`, "--", file, folder, link], path);
  }
  // Folders whose time is older than what is in them: a restore that writes into them afterwards would show.
  run(
    "touch",
    ["-d", "@1000000000.000000007", "names", "links", "links/a", "sparse", "special", "large"],
    root,
  );
}
