// The machine itself: Node, native code, drives, clock, memory, locale.

import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir, totalmem } from "node:os";
import { delimiter, join } from "node:path";
import { formatBytes } from "../cli/units.ts";
import { type Finding, good, note, problem } from "./finding.ts";

const nodeMajorMin = 24;
const memoryBytesMin = 512 * 1024 * 1024;
/** Nothing of Holdfast is older: a clock before it is wrong. */
const programMs = Date.UTC(2026, 0, 1);
const skewMsMax = 5000;

/** Everything that does not depend on a gateway or an enrolment. */
export async function checkMachine(environment: NodeJS.ProcessEnv): Promise<Finding[]> {
  return [
    checkNode(),
    await checkPlatform(),
    ...checkDrives(),
    checkLocking(),
    checkClock(),
    checkMemory(),
    checkLocale(environment),
  ];
}

function checkNode(): Finding {
  const major = Number(process.versions.node.split(".")[0]);
  if (major >= nodeMajorMin) return good("Node", `version ${process.versions.node}`);
  return problem(
    "Node",
    `version ${process.versions.node} is too old`,
    `Install Node ${nodeMajorMin}, or run npm ci: it brings one.`,
  );
}

async function checkPlatform(): Promise<Finding> {
  const { selectPlatform } = await import("../../agent/platform/select.ts");
  try {
    const { capabilities } = selectPlatform();
    if (capabilities.name === "linux") return good("file attributes", "all, by the system's C library");
    return note(
      "file attributes",
      "no extended attributes, ACLs, holes and device nodes on this platform",
      "Unset HOLDFAST_PLATFORM, or back up from 64-bit Linux.",
    );
  } catch (error) {
    return problem(
      "file attributes",
      (error as Error).message,
      "Run npm ci again on this machine, or set HOLDFAST_PLATFORM=portable to go on without them.",
    );
  }
}

/** The path of a program, undefined where PATH has none. */
function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

function checkDrives(): Finding[] {
  if (process.platform !== "linux") {
    return [
      note("drives", "the kernel driver needs Linux", "Use --driver fuse-native, or look by `agent ls`."),
    ];
  }
  const findings = [checkFuseDevice()];
  const root = process.getuid?.() === 0;
  const helper = root ? "mount" : "fusermount3";
  const path = findProgram(helper);
  findings.push(
    path === undefined
      ? note(helper, "not found: drives cannot be mounted", `apt-get install ${root ? "mount" : "fuse3"}`)
      : good(helper, path),
  );
  if (!root) findings.push(checkAllowOther());
  return findings;
}

function checkFuseDevice(): Finding {
  const device = "/dev/fuse";
  if (!existsSync(device)) {
    return note(
      device,
      "not there: drives cannot be mounted",
      "Load the module (modprobe fuse); in a container pass --device /dev/fuse --cap-add SYS_ADMIN.",
    );
  }
  try {
    closeSync(openSync(device, "r+"));
    return good(device, "can be opened");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return note(
      device,
      `cannot be opened (${code}): drives cannot be mounted`,
      `chmod 0666 ${device}, or run as root.`,
    );
  }
}

function checkAllowOther(): Finding {
  const file = "/etc/fuse.conf";
  const allowed = existsSync(file) && /^\s*user_allow_other\b/m.test(readFileSync(file, "utf8"));
  if (allowed) return good("--allow-other", "allowed by /etc/fuse.conf");
  return note(
    "--allow-other",
    "only root may use it",
    `Add the line user_allow_other to ${file} if other users need your drive.`,
  );
}

function checkLocking(): Finding {
  const path = findProgram("flock");
  if (path !== undefined) return good("flock", path);
  return note(
    "flock",
    "not found: a gateway then locks its directory by a socket",
    "apt-get install util-linux",
  );
}

function checkClock(): Finding {
  const now = Date.now();
  if (now < programMs) {
    return problem(
      "clock",
      `says ${new Date(now).toISOString()}`,
      "Set it, for example with timedatectl set-ntp true.",
    );
  }
  const file = join(tmpdir(), `holdfast-clock-${process.pid}`);
  try {
    writeFileSync(file, "", { flag: "wx" });
    const skewMs = Math.abs(statSync(file).mtimeMs - Date.now());
    unlinkSync(file);
    if (skewMs <= skewMsMax) return good("clock", new Date(now).toISOString());
    return note(
      "clock",
      `file times in ${tmpdir()} are ${Math.round(skewMs / 1000)} s off`,
      "Is it on another machine? Set both clocks by NTP.",
    );
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return problem(
      tmpdir(),
      `cannot be written (${code})`,
      "Make room there, or set TMPDIR to a folder that you may write.",
    );
  }
}

function checkMemory(): Finding {
  if (totalmem() >= memoryBytesMin) return good("memory", formatBytes(totalmem()));
  return note(
    "memory",
    `${formatBytes(totalmem())} is little`,
    "Give the machine 512 MiB; a backup uses up to 350 MiB.",
  );
}

function checkLocale({ LC_ALL, LC_CTYPE, LANG }: NodeJS.ProcessEnv): Finding {
  const locale = LC_ALL || LC_CTYPE || LANG || "C";
  if (/utf-?8/i.test(locale)) return good("locale", locale);
  return note(
    "locale",
    `${locale} is not UTF-8: a terminal may show names wrongly (backups are not affected)`,
    "export LANG=C.UTF-8",
  );
}

/** True where this user may read and write a directory. */
export function isAccessible(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
