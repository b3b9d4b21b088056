// Adding a replica: what was asked for is checked, the place is tried, and only then there is a row for it.

import { randomBytes } from "node:crypto";
import { relative } from "node:path";
import { parseFingerprint } from "../../ingest/client/fingerprint.ts";
import { RateTable } from "../../ingest/line/rateTable.ts";
import { checkName } from "../../ingest/wire/names.ts";
import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import type { NewReplica } from "../admin/replicaOperations.ts";
import type { Replica, ReplicaOptions } from "../catalog/replicas.ts";
import type { Gateway } from "../gateway.ts";
import { folderOfUrl } from "./folder/folderUrl.ts";
import { parseSchedule } from "./job/schedule.ts";
import { gatewayFolder, rootKey, vaultFolder } from "./keys.ts";
import { openReplicaStore, type StoreContext } from "./openStore.ts";
import { readPeerToken } from "./peer/tokenFile.ts";
import { type PlaceProbe, probePlace } from "./probePlace.ts";
import type { ReplicaStore } from "./replicaStore.ts";
import { withoutSecrets } from "./withoutSecrets.ts";

/** Options by kind of address, with the flags that give them. */
const flagsOf: Readonly<Record<string, Partial<Record<keyof ReplicaOptions, string>>>> = {
  "file:": { rootUrl: "--root-url" },
  "https:": { credentialsFile: "--token-file" },
  "s3:": {
    endpoint: "--endpoint",
    region: "--region",
    pathStyle: "--path-style",
    caFile: "--ca-file",
    credentialsFile: "--credentials-file",
    profile: "--profile",
    rootUrl: "--root-url",
    lockDays: "--lock-days",
  },
};

/** @throws HoldfastError usage, exists, replica-unreachable, replica-refused, replica-full, replica-damaged */
export async function addReplica(gateway: Gateway, request: NewReplica): Promise<Replica> {
  const { catalog, now } = gateway;
  const name = checkName(request.name, "replica");
  const url = checkAddress(request, gateway.dataDir.path);
  RateTable.parse(request.bandwidth);
  parseSchedule(request.schedule);
  for (const other of catalog.replicas.list()) {
    if (other.name === name) throw taken(`a replica ${name}`);
    if (other.url === url) throw taken(`a replica at ${url}, ${other.name},`);
  }
  if (request.fingerprint !== undefined) await checkFingerprint(request, request.fingerprint);
  const { options } = request;
  const place = await tryPlace({ url, options }, gateway);
  const { rootUrl } = options;
  const roots = rootUrl === undefined ? place : await tryPlace({ url: rootUrl, options }, gateway);
  const replica: Replica = {
    id: toHex(randomBytes(16)),
    name,
    url,
    options,
    conditionalPuts: roots.conditionalPuts,
    ...(place.comparesSha256 && { comparesSha256: true }),
    notes: notesOf(place, roots, rootUrl),
    writer: toHex(randomBytes(16)),
    bandwidth: request.bandwidth,
    schedule: request.schedule,
    parallel: request.parallel,
    created: now().toISOString(),
  };
  const inUse = await noteOfUse(gateway, replica);
  const row = { ...replica, notes: [...replica.notes, ...inUse] };
  catalog.replicas.add(row);
  gateway.replication.added(row.id);
  return row;
}

/** As probePlace; nothing tries again by itself yet. */
async function tryPlace(
  address: Pick<Replica, "url" | "options">,
  context: StoreContext,
): Promise<PlaceProbe> {
  try {
    return await probePlace(address, context);
  } catch (error) {
    if (!isHoldfastError(error, ErrorCode.replicaUnreachable)) throw error;
    throw new HoldfastError(error.code, error.message, {
      next: "Nothing was added. Check the address, the network and the other end (of a folder: that its disk is mounted), and try again.",
      cause: error,
    });
  }
}

/** The address in its normal form. */
function checkAddress({ url, options }: NewReplica, dataDir: string): string {
  const kind = /^[a-z0-9]+:/.exec(url)?.[0] ?? "";
  const flags = flagsOf[kind];
  if (flags === undefined) {
    throw new HoldfastError(ErrorCode.usage, `not the address of a replica: ${withoutSecrets(url)}`, {
      next: "Write file:///PATH, s3://BUCKET/PREFIX or https://PEER:PORT.",
    });
  }
  for (const option of Object.keys(options) as (keyof ReplicaOptions)[]) {
    if (flags[option] !== undefined) continue;
    const flag = flagsOf["s3:"]?.[option] ?? option;
    throw new HoldfastError(ErrorCode.usage, `${flag} is not for replicas at ${kind}//`);
  }
  if (kind !== "file:") return url.replace(/\/+$/, "");
  const folder = folderOfUrl(url);
  const inside = relative(dataDir, folder);
  if (!inside.startsWith("..")) {
    throw new HoldfastError(ErrorCode.usage, `${folder} is in the gateway's own data directory`, {
      next: "Choose a folder on another disk.",
    });
  }
  return url.replace(/\/+$/, "");
}

async function checkFingerprint({ url, options }: NewReplica, wanted: string): Promise<void> {
  if (!url.startsWith("https:")) throw new HoldfastError(ErrorCode.usage, "--fingerprint is for peers alone");
  if (options.credentialsFile === undefined) return; // opening it says what is missing
  const { fingerprint } = await readPeerToken(options.credentialsFile);
  if (parseFingerprint(wanted) === fingerprint) return;
  throw new HoldfastError(
    ErrorCode.fingerprintMismatch,
    "the token file is of a gateway with another fingerprint",
    {
      next: "Compare with what `holdfast gateway status` says on the far gateway.",
    },
  );
}

function notesOf(place: PlaceProbe, roots: PlaceProbe, rootUrl: string | undefined): string[] {
  if (rootUrl === undefined) return [...place.notes];
  return [...place.notes, ...roots.notes.map((note) => `At ${rootUrl}: ${note}`)];
}

/** Whether a gateway has written there before. */
async function noteOfUse(gateway: Gateway, replica: Replica): Promise<string[]> {
  const url = replica.options.rootUrl ?? replica.url;
  const roots = await openReplicaStore({ ...replica, url }, gateway);
  try {
    if (!(await isInUse(gateway, roots))) return [];
  } finally {
    await roots.close();
  }
  if (!replica.conditionalPuts) {
    throw new HoldfastError(
      ErrorCode.replicaRefused,
      "a gateway's replica is there already, and it cannot be taken over safely: put-if-absent does not work there",
      { next: "Choose an empty place, or keep the roots elsewhere with --root-url." },
    );
  }
  return [
    `A gateway's replica is there already. Nothing is written until \`holdfast replica run ${replica.name} --take-over\`, which stops the gateway that wrote it.`,
  ];
}

async function isInUse({ catalog }: Gateway, roots: ReplicaStore): Promise<boolean> {
  const folders = [gatewayFolder, ...catalog.vaults.list().map(({ id }) => vaultFolder(id))];
  for (const folder of folders) {
    if ((await roots.head(rootKey(folder, 1))) !== undefined) return true;
  }
  return false;
}

function taken(what: string): HoldfastError {
  return new HoldfastError(ErrorCode.exists, `there is ${what} already`, {
    next: "`holdfast replica status` lists them.",
  });
}
