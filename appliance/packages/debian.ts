// A Debian package of a staged program: its files in a tree as they will lie, its control files, dpkg-deb.

import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { commandsOf } from "../cli/commandTable.ts";
import { completionScript } from "../cli/completion.ts";
import { driveUnits, type Service, services, unitTemplate } from "../service/units.ts";
import { manPage } from "./manPage.ts";
import type { Edition } from "./stage.ts";
import { runTool } from "./tools.ts";

export type DebianPlan = {
  /** The checkout. */
  readonly root: string;
  /** The staged program; it is moved. */
  readonly program: string;
  /** An empty folder to work in. */
  readonly work: string;
  readonly edition: Edition;
  /** As in package.json. */
  readonly version: string;
  readonly architecture: "amd64" | "arm64";
  /** Seconds since 1970 of all that is in it. */
  readonly epoch: number;
  /** Fast, and four times as large. */
  readonly fast: boolean;
  /** The folder for the .deb. */
  readonly out: string;
};

type Kind = {
  readonly name: string;
  readonly service: Service;
  readonly priority: number;
  readonly summary: string;
  readonly description: string;
  readonly docs: readonly string[];
};

const kinds: Readonly<Record<Edition, Kind>> = {
  whole: {
    name: "holdfast-gateway",
    service: services.gateway,
    priority: 20,
    summary: "backup gateway: deduplicated, encrypted, shown as read-only drives",
    description:
      "Takes in backups of machines over the network, keeps them, copies them offsite and shows them as drives. It never holds a key to them until a vault is unlocked. With every command, those of agents included.",
    docs: readdirSync(new URL("../../docs", import.meta.url)).filter((name) => name.endsWith(".md")),
  },
  agent: {
    name: "holdfast-agent",
    service: services.agent,
    priority: 10,
    summary: "agent of the Holdfast backup gateway",
    description:
      "Backs up this machine to a Holdfast gateway, by the schedules that are kept there; restores, and mounts snapshots as a read-only drive. Everything is encrypted before it leaves this machine.",
    docs: ["packages.md", "schedules.md", "filters.md", "errors.md"],
  },
};

/** Makes NAME_VERSION_ARCH.deb; gives its path. */
export async function makeDebian(plan: DebianPlan): Promise<string> {
  const { edition, work, out, fast, architecture, program } = plan;
  const kind = kinds[edition];
  const tree = join(work, kind.name);
  const home = join(tree, "usr", "lib", kind.name);
  mkdirSync(dirname(home), { recursive: true });
  renameSync(program, home);
  await writeShare(home, plan);
  for (const folder of linkFolders) mkdirSync(join(tree, "usr", "share", folder), { recursive: true });
  writeUnits(tree, kind);
  writeDocs(tree, kind, plan);
  write(join(tree, "etc", "default", kind.name), settingsText(kind));
  closeToOthers(tree);
  writeControl(tree, kind, plan);
  const file = join(out, `${kind.name}_${debianVersion(plan.version)}_${architecture}.deb`);
  rmSync(file, { force: true });
  const compression = fast ? ["-Znone"] : ["-Zxz"];
  runTool("dpkg-deb", ["--root-owner-group", ...compression, "--build", tree, file], {
    SOURCE_DATE_EPOCH: String(plan.epoch),
  });
  rmSync(tree, { recursive: true });
  return file;
}

/** "1.0.0-rc.1" comes before "1.0.0". */
export function debianVersion(version: string): string {
  return version.replace("-", "~");
}

function write(path: string, content: string | Uint8Array, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  chmodSync(path, mode);
}

/** Where alternatives put links to them: there with the package, and gone with it. */
const linkFolders: readonly string[] = [
  "man/man1",
  "bash-completion/completions",
  "zsh/vendor-completions",
  "fish/vendor_completions.d",
];

/** The man page and completions. */
async function writeShare(home: string, { edition, version, epoch }: DebianPlan): Promise<void> {
  const table = await commandsOf(edition);
  const date = new Date(epoch * 1000).toISOString().slice(0, 10);
  write(join(home, "share", "holdfast.1.gz"), gzipSync(manPage(table, version, date), { level: 9 }));
  const names = { bash: "holdfast.bash", zsh: "_holdfast", fish: "holdfast.fish" };
  for (const [shell, name] of Object.entries(names))
    write(join(home, "share", name), completionScript(shell, table));
}

function writeUnits(tree: string, { name, service }: Kind): void {
  const own = (file: string): string =>
    unitTemplate(file).replaceAll("/usr/bin/holdfast", `/usr/lib/${name}/bin/holdfast`);
  for (const unit of [service.unit, driveUnits[service.name]])
    write(join(tree, "usr", "lib", "systemd", "system", unit), own(unit));
}

function writeDocs(tree: string, { name, docs }: Kind, { root }: DebianPlan): void {
  const folder = join(tree, "usr", "share", "doc", name);
  for (const doc of docs) {
    mkdirSync(folder, { recursive: true });
    cpSync(join(root, "docs", doc), join(folder, doc));
  }
  write(
    join(folder, "copyright"),
    `Holdfast: all rights reserved.\nParts by others, each with its licence beside it: /usr/lib/${name}/node_modules/\n`,
  );
}

function settingsText({ name, service }: Kind): string {
  return `# The environment of ${service.unit}, read when it starts: one NAME=value a line. See /usr/share/doc/${name}/packages.md.

# A certificate authority of your own that vouches for gateways and web servers.
#NODE_EXTRA_CA_CERTS=/etc/ssl/certs/own-authority.pem
`;
}

/** Everybody may read and nobody write, whatever the umask was. */
function closeToOthers(tree: string): void {
  runTool("chmod", ["-R", "u=rwX,go=rX", tree]);
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function writeControl(tree: string, kind: Kind, { edition, version, architecture }: DebianPlan): void {
  const control = join(tree, "DEBIAN");
  const files = filesBelow(tree);
  const bytes = files.reduce((sum, path) => sum + statSync(path).size, 0);
  const sums = files.map(
    (path) => `${createHash("md5").update(readFileSync(path)).digest("hex")}  ${relative(tree, path)}\n`,
  );
  write(
    join(control, "control"),
    [
      `Package: ${kind.name}`,
      `Version: ${debianVersion(version)}`,
      `Architecture: ${architecture}`,
      "Maintainer: Holdfast <root@localhost>",
      `Installed-Size: ${Math.ceil(bytes / 1024)}`,
      "Depends: libc6 (>= 2.28), libstdc++6 (>= 8), passwd, util-linux",
      "Recommends: fuse3, mount",
      ...(edition === "whole" ? ["Suggests: holdfast-agent"] : []),
      "Section: admin",
      "Priority: optional",
      `Description: ${kind.summary}`,
      ` ${kind.description}`,
      "",
    ].join("\n"),
  );
  write(join(control, "md5sums"), sums.join(""));
  write(join(control, "conffiles"), `/etc/default/${kind.name}\n`);
  for (const [script, source] of [
    ["postinst", "postinst.sh"],
    ["prerm", "prerm.sh"],
    ["postrm", `postrm-${kind.service.name}.sh`],
  ] as const) {
    write(join(control, script), filled(script, source, kind), 0o755);
  }
}

/** A maintainer script with the package's names in it; throws where one is left open. */
function filled(script: string, source: string, { name, service, priority }: Kind): string {
  const names: Readonly<Record<string, string>> = {
    "@PACKAGE@": name,
    "@NAME@": service.name,
    "@UNIT@": service.unit,
    "@USER@": service.user,
    "@DIRECTORY@": service.directory,
    "@PRIORITY@": String(priority),
    "@DRIVES@": driveUnits[service.name].replace("@.", "@*."),
  };
  const text = readFileSync(new URL(`./debian/${source}`, import.meta.url), "utf8");
  return text.replaceAll(/@[A-Z]+@/g, (word) => {
    const value = names[word];
    if (value === undefined) throw new Error(`${script} has ${word}`);
    return value;
  });
}
