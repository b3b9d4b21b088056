// JSON schemas of the admin socket's answers; their types are in ../admin/operations.ts and ../admin/drives.ts.

import { array, base64, count, flag, nullable, object, shortId, time } from "./schemas.ts";

const text = { type: "string" } as const;

export const aliveAnswer = { 200: object({ ok: flag }) } as const;

const alert = {
  id: count,
  kind: text,
  severity: text,
  subject: text,
  message: text,
  figures: { type: "object", additionalProperties: true },
  firstSeen: time,
  lastSeen: time,
  times: count,
  acknowledged: { ...object({ at: time, note: text }), type: ["object", "null"] },
  resolved: nullable(time),
  change: count,
} as const;

const gcProgress = object({ account: text, vault: text, phase: text, done: count, total: count });

export const statusAnswer = {
  200: object({
    id: shortId,
    name: text,
    version: text,
    fingerprint: text,
    url: nullable(text),
    pid: nullable(count),
    accounts: count,
    devices: count,
    freeBytes: count,
    alerts: array(object(alert)),
    prune: object({
      at: nullable(time),
      trashed: count,
      failed: nullable(text),
      everyHours: { type: "number" },
    }),
    gc: object({
      at: nullable(time),
      snapshots: count,
      freedBytes: { type: "integer" },
      held: count,
      failed: nullable(text),
      everyHours: { type: "number" },
      now: {
        ...object({
          by: text,
          dryRun: flag,
          started: time,
          progress: { ...gcProgress, type: ["object", "null"] },
        }),
        type: ["object", "null"],
      },
    }),
    vaults: array(
      object({
        id: shortId,
        account: text,
        name: text,
        unlocked: flag,
        chunks: count,
        snapshots: count,
        packs: count,
        packBytes: count,
        fetchPacks: count,
        fetchBytes: count,
      }),
    ),
  }),
} as const;

const accountSeen = {
  id: shortId,
  name: text,
  disabled: flag,
  access: nullable(object({ allow: array(text), deny: array(text) })),
  created: time,
  vaults: array(object({ id: shortId, name: text })),
  devices: count,
  escrows: array(object({ label: text, public: base64(32), since: time })),
} as const;

/** What others than administrators are told. */
export const accountsSeenAnswer = { 200: array(object(accountSeen)) } as const;

export const accountsAnswer = {
  200: array(
    object({
      ...accountSeen,
      kdf: object({ suite: count, iterations: count, salt: base64(32) }),
      recoveryPublic: base64(32),
      storedBytes: count,
      quota: object({ bytes: nullable(count), devices: nullable(count) }),
    }),
  ),
} as const;

const appPassword = {
  id: text,
  label: text,
  read: nullable(text),
  asUser: { ...object({ uid: count, gids: array(count) }), type: ["object", "null"] },
  created: time,
  expires: nullable(time),
  expired: flag,
  lastUsed: nullable(time),
} as const;

export const appPasswordsAnswer = { 200: array(object(appPassword)) } as const;

export const newAppPasswordAnswer = { 201: object({ ...appPassword, password: text }) } as const;

export const drivesAnswer = { 200: array(object({ mountpoint: text })) } as const;
