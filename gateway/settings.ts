// config.toml of a data directory: what an administrator may change. Every key has a comment in the file that `init` writes (settingsText.ts).

import { readFile, stat } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { parse } from "smol-toml";
import { RateTable } from "../ingest/line/rateTable.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import {
  type AlertSettings,
  alertKeys,
  alertSettingsDefault,
  checkAlertSettings,
} from "./alerts/alertSettings.ts";
import { AddressSet } from "./auth/addressLists.ts";
import { type GuardThresholds, guardRules, isPercentage, thresholdsDefault } from "./guard/thresholds.ts";
import { parseListen } from "./listenAddress.ts";
import * as proxies from "./proxySettings.ts";
import { fileError } from "./store/files.ts";

export type GatewaySettings = AlertSettings &
  proxies.ProxySettings & {
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
    /** Who may read /metrics: nobody, who has the token, everybody. */
    readonly metrics: "off" | "token" | "open";
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
    /** How often policies are applied while the gateway runs; 0: only by `holdfast gateway prune`. */
    readonly pruneEveryHours: number;
    /** How often garbage is collected while the gateway runs; 0: only by `holdfast gateway gc`. */
    readonly gcEveryHours: number;
    /** GiB that such a run copies at most to write packs anew; 0: any number. */
    readonly gcBudgetGiB: number;
    /** Hours after which it begins no other pack; 0: as long as it takes. */
    readonly gcForHours: number;
    /** Whether the guard looks at snapshots, and its thresholds where no vault or item has its own (docs/guard.md). */
    readonly guard: boolean;
    readonly guardRewrittenPercent: number;
    readonly guardEncryptedPercent: number;
    readonly guardRenamedPercent: number;
    readonly guardVanishedPercent: number;
    readonly guardCreepingPercent: number;
    /** Certificate and key files in PEM; empty: those in tls/. */
    readonly tlsCertificate: string;
    readonly tlsKey: string;
    /** Addresses and networks that alone may connect; empty: all. */
    readonly allow: readonly string[];
    /** Those that may not. */
    readonly deny: readonly string[];
    /** Proxies whose X-Forwarded-For is believed. */
    readonly trustedProxies: readonly string[];
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
  metrics: "token",
  scrubEveryDays: 30,
  scrubRate: "20MiB/s",
  drillEveryDays: 7,
  jobsKept: 10_000,
  jobsDays: 90,
  ...alertSettingsDefault,
  ...proxies.settingsDefault,
  pruneEveryHours: 24,
  gcEveryHours: 24,
  gcBudgetGiB: 50,
  gcForHours: 6,
  guard: true,
  guardRewrittenPercent: thresholdsDefault.rewritten,
  guardEncryptedPercent: thresholdsDefault.encrypted,
  guardRenamedPercent: thresholdsDefault.renamed,
  guardVanishedPercent: thresholdsDefault.vanished,
  guardCreepingPercent: thresholdsDefault.creeping,
  tlsCertificate: "",
  tlsKey: "",
  allow: [],
  deny: [],
  trustedProxies: [],
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
  metrics: "metrics",
  "scrub-every-days": "scrubEveryDays",
  "scrub-rate": "scrubRate",
  "drill-every-days": "drillEveryDays",
  "jobs-kept": "jobsKept",
  "jobs-days": "jobsDays",
  ...alertKeys,
  ...proxies.keys,
  "prune-every-hours": "pruneEveryHours",
  "gc-every-hours": "gcEveryHours",
  "gc-budget-gib": "gcBudgetGiB",
  "gc-for-hours": "gcForHours",
  guard: "guard",
  "guard-rewritten-percent": "guardRewrittenPercent",
  "guard-encrypted-percent": "guardEncryptedPercent",
  "guard-renamed-percent": "guardRenamedPercent",
  "guard-vanished-percent": "guardVanishedPercent",
  "guard-creeping-percent": "guardCreepingPercent",
  "tls-cert": "tlsCertificate",
  "tls-key": "tlsKey",
  allow: "allow",
  deny: "deny",
  "trusted-proxies": "trustedProxies",
} as const;

/** What values of a type look like. */
const forms = {
  number: "a number",
  boolean: "true or false",
  string: 'a text between quotes: "..."',
  object: 'a list of texts: ["..."]',
} as const;

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
  RateTable.parse(scrubRate);
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
  if (!["off", "token", "open"].includes(settings.metrics))
    throw wrong("metrics", '"off", "token" or "open"');
  const { jobsKept, jobsDays } = settings;
  if (!Number.isInteger(jobsKept) || jobsKept < 1 || jobsKept > 1_000_000) {
    throw wrong("jobs-kept", "a whole number from 1 to 1000000");
  }
  if (!(jobsDays >= 1 && jobsDays <= 36_500)) throw wrong("jobs-days", "a number of days, 1 at least");
  checkAlertSettings(settings, wrong);
  proxies.checkSettings(settings);
  for (const key of ["prune-every-hours", "gc-every-hours", "gc-for-hours"] as const) {
    const hours = settings[keys[key]];
    if (!(hours >= 0 && hours <= 8784)) throw wrong(key, "a number of hours, 8784 at most");
  }
  if (!(settings.gcBudgetGiB >= 0 && settings.gcBudgetGiB <= 2 ** 20)) {
    throw wrong("gc-budget-gib", "a number, 1048576 at most");
  }
  const thresholds = guardThresholds(settings);
  for (const rule of guardRules) {
    if (!isPercentage(thresholds[rule])) throw wrong(`guard-${rule}-percent`, "a number from 0 to 100");
  }
  if (typeof settings.tlsCertificate !== "string" || typeof settings.tlsKey !== "string") {
    throw wrong("tls-cert and tls-key", "paths");
  }
  if ((settings.tlsCertificate === "") !== (settings.tlsKey === "")) {
    throw wrong("tls-cert and tls-key", "given together");
  }
  checkLists(settings);
  return settings;
}

/** @throws HoldfastError usage */
function checkLists({ allow, deny, trustedProxies }: GatewaySettings): void {
  for (const [key, rows] of Object.entries({ allow, deny, "trusted-proxies": trustedProxies })) {
    if (!Array.isArray(rows) || rows.some((row) => typeof row !== "string")) {
      throw new HoldfastError(ErrorCode.usage, `config.toml: ${key} must be ${forms.object}`);
    }
    void new AddressSet(rows, `config.toml: ${key}`);
  }
}

/** Keys of config.toml whose values differ. */
export function changedKeys(before: GatewaySettings, after: GatewaySettings): string[] {
  const fields = Object.entries(keys) as [string, keyof GatewaySettings][];
  return fields.filter(([, field]) => !isDeepStrictEqual(before[field], after[field])).map(([key]) => key);
}

/** The guard's thresholds of the whole gateway. */
export function guardThresholds(settings: GatewaySettings): GuardThresholds {
  return {
    off: !settings.guard,
    rewritten: settings.guardRewrittenPercent,
    encrypted: settings.guardEncryptedPercent,
    renamed: settings.guardRenamedPercent,
    vanished: settings.guardVanishedPercent,
    creeping: settings.guardCreepingPercent,
  };
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
  let mode: number;
  try {
    [text, { mode }] = await Promise.all([readFile(path, "utf8"), stat(path)]);
  } catch (error) {
    throw fileError(error, path);
  }
  const settings = parseSettings(text);
  proxies.refuseReaders(settings, path, mode);
  return settings;
}
