// config.toml of a data directory: what an administrator may change. Every key has a comment in the file that `init` writes.

import { readFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { parse } from "smol-toml";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import { Bandwidth } from "./replica/job/bandwidth.ts";
import { fileError } from "./store/files.ts";

export type GatewaySettings = {
  /** What people call this gateway. */
  readonly name: string;
  /** HOST:PORT of the HTTPS listener; port 0 takes a free one. */
  readonly listen: string;
  /** https://HOST:PORT by which agents reach it; empty: not known. */
  readonly publicUrl: string;
  readonly logLevel: "trace" | "debug" | "info" | "warn" | "error" | "silent";
  /** Free MiB on the disk below which uploads are refused. */
  readonly reserveMiB: number;
  /** Symbolic links that lead to no file of their snapshot are left out of WebDAV, not shown as small files. */
  readonly webdavHideLinks: boolean;
  /** MiB of opened records that drives and WebDAV keep in memory. */
  readonly driveCacheMiB: number;
  /** GiB of content from replicas that are kept on the disk. */
  readonly cacheGiB: number;
  /** Packs that are elsewhere are evicted when more than this share of the disk is used; 0: never by itself. */
  readonly evictAbovePercent: number;
  /** Until this share is used. */
  readonly evictToPercent: number;
  /** Days that a proof of a copy elsewhere is good for. */
  readonly evictProofDays: number;
  /** Days within which a running gateway reads every local pack; 0: only when it is told to. */
  readonly scrubEveryDays: number;
  /** Bytes a second at most that it reads for that, as a table by time; empty: no limit. */
  readonly scrubRate: string;
  /** Days within which some files of an unlocked vault are restored in memory; 0: only when it is told to. */
  readonly drillEveryDays: number;
  /** Rows of ended jobs that are kept, of each kind. */
  readonly jobsKept: number;
  /** And for how many days. */
  readonly jobsDays: number;
  /** Certificate and key files in PEM; empty: those in tls/. */
  readonly tlsCertificate: string;
  readonly tlsKey: string;
};

export const settingsDefault: GatewaySettings = {
  name: "holdfast",
  listen: "0.0.0.0:7440",
  publicUrl: "",
  logLevel: "info",
  reserveMiB: 256,
  webdavHideLinks: false,
  driveCacheMiB: 80,
  cacheGiB: 8,
  evictAbovePercent: 0,
  evictToPercent: 75,
  evictProofDays: 7,
  scrubEveryDays: 30,
  scrubRate: "20MiB/s",
  drillEveryDays: 7,
  jobsKept: 10_000,
  jobsDays: 90,
  tlsCertificate: "",
  tlsKey: "",
};

const levels: readonly string[] = ["trace", "debug", "info", "warn", "error", "silent"];

const keys = {
  name: "name",
  listen: "listen",
  "public-url": "publicUrl",
  "log-level": "logLevel",
  "reserve-mib": "reserveMiB",
  "webdav-hide-links": "webdavHideLinks",
  "drive-cache-mib": "driveCacheMiB",
  "cache-gib": "cacheGiB",
  "evict-above-percent": "evictAbovePercent",
  "evict-to-percent": "evictToPercent",
  "evict-proof-days": "evictProofDays",
  "scrub-every-days": "scrubEveryDays",
  "scrub-rate": "scrubRate",
  "drill-every-days": "drillEveryDays",
  "jobs-kept": "jobsKept",
  "jobs-days": "jobsDays",
  "tls-cert": "tlsCertificate",
  "tls-key": "tlsKey",
} as const;

/** What values of a type look like. */
const forms = {
  number: "a number",
  boolean: "true or false",
  string: 'a text between quotes: "..."',
} as const;

/** The text of a config.toml with these settings. */
export function formatSettings(settings: GatewaySettings): string {
  const text = (value: string): string => JSON.stringify(value);
  return `# Settings of this Holdfast gateway. After a change: systemctl reload, or SIGHUP.

# What people call this gateway; also in its certificate.
name = ${text(settings.name)}

# Address and port of the HTTPS listener.
listen = ${text(settings.listen)}

# https://HOST:PORT by which agents reach this gateway; boxes and moved homes name it. Empty: not known.
public-url = ${text(settings.publicUrl)}

# trace, debug, info, warn, error or silent
log-level = ${text(settings.logLevel)}

# Uploads are refused when less than this many MiB are free on the disk.
reserve-mib = ${settings.reserveMiB}

# WebDAV has no symbolic links. Those that lead to a file of their snapshot show that file; the others
# are small files that hold their target. true: leave these out.
webdav-hide-links = ${settings.webdavHideLinks}

# MiB of opened content and folders that drives and WebDAV keep in memory, 20 at least. A change needs a restart.
drive-cache-mib = ${settings.driveCacheMiB}

# GiB of the disk for content that is read from replicas (in cache/). A change needs a restart.
cache-gib = ${settings.cacheGiB}

# Packs that a replica has leave this disk when more than the first share of it is used, or what is to stay free is
# reached, until the second is; what was used last stays longest. 0: only with \`holdfast gateway evict\`.
evict-above-percent = ${settings.evictAbovePercent}
evict-to-percent = ${settings.evictToPercent}

# A pack leaves only if all its bytes were proven to be in a replica within so many days; else they are proven first.
evict-proof-days = ${settings.evictProofDays}

# A running gateway reads every pack on this disk within so many days and compares it with its hash, what was not for
# longest first; 0: only with \`holdfast gateway scrub\`. Reading takes so much a second at most, a quarter of it while
# uploads come; a table by time as for replicas, empty: no limit.
scrub-every-days = ${settings.scrubEveryDays}
scrub-rate = ${text(settings.scrubRate)}

# While a vault is unlocked, some of its files are restored in memory and compared with their hashes, once in so many
# days; 0: only with \`holdfast gateway drill\`.
drill-every-days = ${settings.drillEveryDays}

# The history of jobs (\`holdfast gateway jobs\`): so many of each kind, and no older ones than so many days.
jobs-kept = ${settings.jobsKept}
jobs-days = ${settings.jobsDays}

# Your own certificate chain and key in PEM; empty: the self-signed ones in tls/.
tls-cert = ${text(settings.tlsCertificate)}
tls-key = ${text(settings.tlsKey)}
`;
}

/** Splits HOST:PORT ([HOST]:PORT for IPv6). @throws HoldfastError usage */
export function parseListen(listen: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):([0-9]{1,5})$/.exec(listen);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || !(port <= 65_535)) {
    throw new HoldfastError(ErrorCode.usage, `listen: not HOST:PORT: ${listen}`);
  }
  return { host, port };
}

/** Checks settings. @throws HoldfastError usage */
export function checkSettings(settings: GatewaySettings): GatewaySettings {
  parseListen(settings.listen);
  const wrong = (key: string, form: string): HoldfastError =>
    new HoldfastError(ErrorCode.usage, `config.toml: ${key} must be ${form}`);
  if (typeof settings.name !== "string" || settings.name === "" || settings.name.length > 64) {
    throw wrong("name", "a text of 1 to 64 characters");
  }
  const { publicUrl } = settings;
  if (typeof publicUrl !== "string" || (publicUrl !== "" && !/^https:\/\/[^/\s@?#]+$/.test(publicUrl))) {
    throw wrong("public-url", "https://HOST:PORT, or empty");
  }
  if (!levels.includes(settings.logLevel)) throw wrong("log-level", `one of ${levels.join(", ")}`);
  if (!Number.isInteger(settings.reserveMiB) || settings.reserveMiB < 0 || settings.reserveMiB > 2 ** 40) {
    throw wrong("reserve-mib", "a whole number");
  }
  const { driveCacheMiB } = settings;
  if (!Number.isInteger(driveCacheMiB) || driveCacheMiB < 20 || driveCacheMiB > 2 ** 20) {
    throw wrong("drive-cache-mib", "a whole number, 20 at least");
  }
  const { scrubEveryDays, scrubRate, drillEveryDays } = settings;
  if (!(scrubEveryDays >= 0 && scrubEveryDays <= 36_500)) throw wrong("scrub-every-days", "a number of days");
  if (typeof scrubRate !== "string") throw wrong("scrub-rate", "a text");
  Bandwidth.parse(scrubRate);
  if (!(drillEveryDays >= 0 && drillEveryDays <= 36_500)) throw wrong("drill-every-days", "a number of days");
  const { cacheGiB, evictAbovePercent, evictToPercent, evictProofDays } = settings;
  if (!(cacheGiB >= 0.01 && cacheGiB <= 2 ** 20)) throw wrong("cache-gib", "a number, 0.01 at least");
  if (!(evictAbovePercent >= 0 && evictAbovePercent <= 100)) {
    throw wrong("evict-above-percent", "a number from 0 to 100");
  }
  if (!(evictToPercent >= 0 && (evictAbovePercent === 0 || evictToPercent <= evictAbovePercent))) {
    throw wrong("evict-to-percent", "a number, evict-above-percent at most");
  }
  if (!(evictProofDays >= 0 && evictProofDays <= 36_500)) throw wrong("evict-proof-days", "a number of days");
  const { jobsKept, jobsDays } = settings;
  if (!Number.isInteger(jobsKept) || jobsKept < 1 || jobsKept > 1_000_000) {
    throw wrong("jobs-kept", "a whole number from 1 to 1000000");
  }
  if (!(jobsDays >= 1 && jobsDays <= 36_500)) throw wrong("jobs-days", "a number of days, 1 at least");
  if (typeof settings.tlsCertificate !== "string" || typeof settings.tlsKey !== "string") {
    throw wrong("tls-cert and tls-key", "paths");
  }
  if ((settings.tlsCertificate === "") !== (settings.tlsKey === "")) {
    throw wrong("tls-cert and tls-key", "given together");
  }
  return settings;
}

/** Keys of config.toml whose values differ. */
export function changedKeys(before: GatewaySettings, after: GatewaySettings): string[] {
  const fields = Object.entries(keys) as [string, keyof GatewaySettings][];
  return fields.filter(([, field]) => !isDeepStrictEqual(before[field], after[field])).map(([key]) => key);
}

/** Parses a config.toml. @throws HoldfastError usage that names the key */
export function parseSettings(toml: string): GatewaySettings {
  let table: Record<string, unknown>;
  try {
    table = parse(toml);
  } catch (error) {
    throw new HoldfastError(ErrorCode.usage, `config.toml: ${(error as Error).message.split("\n")[0]}`, {
      next: "Mend the file.",
      cause: error,
    });
  }
  const settings: Record<string, unknown> = { ...settingsDefault };
  for (const [key, value] of Object.entries(table)) {
    if (!Object.hasOwn(keys, key))
      throw new HoldfastError(ErrorCode.usage, `config.toml: unknown key ${key}`, {
        next: `Its keys are: ${Object.keys(keys).join(", ")}.`,
      });
    const field = keys[key as keyof typeof keys];
    if (typeof value !== typeof settingsDefault[field]) {
      throw new HoldfastError(ErrorCode.usage, `config.toml: ${key} is of the wrong type`, {
        next: `It is ${forms[typeof settingsDefault[field] as keyof typeof forms]}.`,
      });
    }
    settings[field] = value;
  }
  return checkSettings(settings as unknown as GatewaySettings);
}

/** Reads and checks a config.toml. @throws HoldfastError usage, io-error */
export async function readSettings(path: string): Promise<GatewaySettings> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw fileError(error, path);
  }
  return parseSettings(text);
}
