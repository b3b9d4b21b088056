// Who may import whom. Imports go one way: vault <- ingest <- {gateway, agent}; vault <- fs/view <-
// {fs/fuse, fs/webdav, fs/archive}; appliance wires all. A package lives where it is listed.
import { posix } from "node:path";
import { place, type SourceFile, withoutComments } from "./files.ts";

type Import = { readonly target: string; readonly typeOnly: boolean; readonly where: string };

/** Areas, longest prefix first, and what code in each may import besides itself. */
const areas: Readonly<Record<string, readonly string[]>> = {
  "fs/view": ["vault"],
  "fs/fuse": ["vault", "fs/view"],
  "fs/webdav": ["vault", "fs/view"],
  "fs/archive": ["vault", "fs/view"],
  vault: [],
  ingest: ["vault"],
  gateway: ["vault", "ingest"],
  agent: ["vault", "ingest", "fs/view"],
  appliance: ["vault", "ingest", "gateway", "agent", "fs/view", "fs/fuse", "fs/webdav", "fs/archive"],
};

/** Areas of which another may use the types alone: the ports that fs/view declares. */
const typesOnly: Readonly<Record<string, readonly string[]>> = { gateway: ["fs/view"] };

/** Where a package may be used, besides tests. One that is not listed may not be used: give it a place. */
const packages: Readonly<Record<string, readonly string[]>> = {
  "@aws-sdk": ["gateway/replica"],
  "@fastify/ajv-compiler": ["gateway/api"],
  "@fastify/fast-json-stringify-compiler": ["gateway/api"],
  "@fastify/swagger": ["gateway/api"],
  "@noble/ciphers": ["vault"],
  "@noble/hashes": ["vault"],
  "@peculiar/x509": ["gateway", "appliance"],
  "fast-check": [],
  fastify: ["gateway/api"],
  "fuse-native": ["fs/fuse"],
  "hash-wasm": ["vault/keys", "gateway/auth", "gateway/console", "agent/source"],
  koffi: ["agent/platform", "fs/fuse"],
  lmdb: ["gateway/index", "gateway/catalog", "gateway/cache", "agent/source"],
  nodemailer: ["gateway/alerts"],
  pino: ["gateway", "agent", "appliance"],
  "playwright-core": [],
  "prom-client": ["gateway/metrics"],
  re2js: ["agent"],
  "reflect-metadata": ["gateway", "appliance"],
  rolldown: ["appliance/packages"],
  saxes: ["fs/webdav"],
  "smtp-server": [],
  "smol-toml": ["gateway", "appliance"],
  uqr: ["appliance"],
  vitest: [],
};

/** The format knows no disk, no sockets and no processes. */
const outsideOfVault = /^node:(fs|net|tls|https?|http2|dgram|dns|os|child_process|worker_threads|cluster)\b/;

/** What the independent reader may stand on: nothing that the product's own code uses but zlib. */
const reference = /^(@noble\/|node:(zlib|fs|path|process|assert|buffer)\b)/;

const importPatterns = [
  /\b(?:import|export)\s+(?<type>type\s+)?[\w*{}\s,$]*?\bfrom\s*["'](?<target>[^"'\n]+)["']/g,
  /\b(?:import|require)\s*\(?\s*["'](?<target>[^"'\n]+)["']/g,
  /\bnew URL\(\s*["'](?<target>\.[^"'\n]*\.[cm]?[jt]s)["']/g,
];

/** Every import, re-export, dynamic import and worker file that the code names. */
export function importsOf(file: SourceFile): Import[] {
  const code = { path: file.path, text: withoutComments(file.text) };
  return importPatterns.flatMap((pattern) =>
    Array.from(code.text.matchAll(pattern), (match) => ({
      target: match.groups?.target ?? "",
      typeOnly: match.groups?.type !== undefined,
      where: place(code, match.index),
    })),
  );
}

function under(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function areaOf(path: string): string | undefined {
  return Object.keys(areas).find((area) => under(path, area));
}

/** Product code stands in an area; besides it there are only tests and the tools' configuration. */
function hasPlace(path: string): boolean {
  return areaOf(path) !== undefined || path.startsWith("test/") || /^[\w.]+\.config\.ts$/.test(path);
}

function checkRelative(file: SourceFile, found: Import): string | undefined {
  const target = posix.normalize(posix.join(posix.dirname(file.path), found.target));
  const from = areaOf(file.path);
  const to = areaOf(target);
  if (from === undefined) return undefined; // tests and configuration may import anything
  if (to === undefined) return `${found.where}: product code may not import ${target}`;
  if (to === from || areas[from]?.includes(to)) return undefined;
  if (found.typeOnly && typesOnly[from]?.includes(to)) return undefined;
  return `${found.where}: ${from} may not import ${to}`;
}

function checkPackage(file: SourceFile, found: Import): string | undefined {
  const name = Object.keys(packages).find((known) => under(found.target, known));
  if (name === undefined)
    return `${found.where}: package ${found.target} has no place in test/tidy/imports.ts`;
  if (areaOf(file.path) === undefined) return undefined;
  if (packages[name]?.some((folder) => under(file.path, folder))) return undefined;
  return `${found.where}: package ${name} may not be used here`;
}

/** Rooms, packages, the purity of the format, and the independence of the reference reader. */
export function checkImports(files: readonly SourceFile[]): string[] {
  const violations: (string | undefined)[] = [];
  for (const file of files) {
    if (!hasPlace(file.path)) violations.push(`${file.path}: in no room`);
    const independent = under(file.path, "test/reference") && !file.path.endsWith(".test.ts");
    for (const found of importsOf(file)) {
      const relative = found.target.startsWith(".");
      if (independent) {
        const inside = posix.join(posix.dirname(file.path), found.target).startsWith("test/reference/");
        const allowed = relative ? inside : reference.test(found.target);
        if (!allowed) violations.push(`${found.where}: the reference reader may not import ${found.target}`);
      } else if (relative) {
        violations.push(checkRelative(file, found));
      } else if (!found.target.startsWith("node:")) {
        violations.push(checkPackage(file, found));
      } else if (under(file.path, "vault") && outsideOfVault.test(found.target)) {
        violations.push(`${found.where}: vault is pure and may not import ${found.target}`);
      } else if (found.target === "node:http" && !found.typeOnly && areaOf(file.path) !== undefined) {
        violations.push(`${found.where}: node:http is got from ingest/line/nodeHttp.ts, which says why`);
      }
    }
  }
  return violations.filter((violation) => violation !== undefined);
}
