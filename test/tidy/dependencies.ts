// What comes from others: pinned, hashed, under a licence that we may ship, and with nothing that runs at install.

import { satisfiedLicence } from "./licences.ts";

type LockEntry = {
  readonly version?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly license?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly hasInstallScript?: boolean;
  readonly deprecated?: string;
};

type Manifest = Readonly<
  Record<
    "dependencies" | "devDependencies" | "optionalDependencies",
    Readonly<Record<string, string>> | undefined
  >
>;

/**
 * Packages that have an install script, by name and version. It never runs (.npmrc, `ignore-scripts`); each was looked at: a prebuilt module is in
 * the package, or in one of its own for each platform, and the script would only build it anew.
 */
const knownScripts = new Set(["fuse-native@2.2.6", "koffi@3.3.4", "lmdb@3.5.6", "msgpackr-extract@3.0.7"]);

/** `npmrc`: the text of .npmrc. */
export function checkDependencies(lockText: string, manifestText: string, npmrc: string): string[] {
  const { packages } = JSON.parse(lockText) as { readonly packages: Readonly<Record<string, LockEntry>> };
  const manifest = JSON.parse(manifestText) as Manifest;
  const violations: string[] = [];
  const tell = (what: string): void => void violations.push(what);
  if (!/^ignore-scripts=true$/m.test(npmrc)) tell(".npmrc: install scripts must not run");
  for (const kind of ["dependencies", "devDependencies", "optionalDependencies"] as const) {
    for (const [name, version] of Object.entries(manifest[kind] ?? {})) {
      if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) tell(`package.json: ${name} is not pinned: ${version}`);
    }
  }
  for (const [key, entry] of Object.entries(packages)) {
    if (key === "" || entry.link === true) continue;
    const name = key.slice(key.lastIndexOf("node_modules/") + "node_modules/".length);
    const named = `${name}@${entry.version}`;
    if (!/^sha512-[A-Za-z0-9+/]{86}==$/.test(entry.integrity ?? ""))
      tell(`${named}: no SHA-512 in the lock file`);
    if (entry.resolved !== undefined && !entry.resolved.startsWith("https://registry.npmjs.org/"))
      tell(`${named}: comes from ${entry.resolved}`);
    if (entry.hasInstallScript === true && !knownScripts.has(named))
      tell(`${named}: has an install script that nobody looked at`);
    if (entry.deprecated !== undefined) tell(`${named}: is deprecated: ${entry.deprecated}`);
    if (!satisfiedLicence(entry.license, entry.dev === true))
      tell(`${named}: licence ${entry.license ?? "unknown"}`);
  }
  return violations;
}
