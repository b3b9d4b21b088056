// The lock file is whole: npm ci refuses one that names packages it does not hold.

type LockEntry = {
  readonly link?: boolean;
  readonly integrity?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
};
type Lock = { readonly packages: Readonly<Record<string, LockEntry>> };

/** True if `name` is found from the folder of `key` upwards, as Node would. */
function resolves(lock: Lock, key: string, name: string): boolean {
  for (let folder = key; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    if (`${folder === "" ? "" : `${folder}/`}node_modules/${name}` in lock.packages) return true;
    if (folder === "") return false;
  }
}

/**
 * Every entry is hashed, and every optional package that one names is there. A registry that does not
 * serve a package for some other platform makes npm leave its entry out and keep its name: npm ci
 * then fails on machines that would never have needed it. Take such names out of the lock file.
 */
export function checkLock(text: string): string[] {
  const lock = JSON.parse(text) as Lock;
  const violations: string[] = [];
  for (const [key, entry] of Object.entries(lock.packages)) {
    if (key !== "" && entry.link !== true && entry.integrity === undefined)
      violations.push(`package-lock.json: ${key} has no integrity`);
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      if (!resolves(lock, key, name))
        violations.push(`package-lock.json: ${key} names ${name}, which is not there`);
    }
  }
  return violations;
}
