// A line of the audit log as it is on disk (docs/security.md, "Audit log"): JSON that ends with the hash of what is before it in
// the line, the hash of the line before included.

import { createHash } from "node:crypto";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import {
  asArray,
  asHex,
  asInteger,
  asObject,
  asText,
  asTime,
  fromBase64,
  parseJson,
} from "../../vault/jsonFields.ts";
import { openBox, sealBox } from "../../vault/keys/box.ts";
import {
  type ActorKind,
  type AuditActor,
  type AuditEvent,
  type AuditFacts,
  type AuditOutcome,
  type AuditSubject,
  actorKinds,
  auditEvents,
  auditOutcomes,
} from "./events.ts";

/** The newest line of a log: what comes next is chained to it. */
export type AuditHead = { readonly sequence: number; readonly hash: string };

export type AuditEntry = AuditHead & {
  /** RFC 3339. */
  readonly time: string;
  readonly event: AuditEvent;
  readonly outcome: AuditOutcome;
  readonly code: string | null;
  readonly actor: AuditActor;
  readonly address: string | null;
  readonly subject: AuditSubject;
  readonly previous: string;
};

/** Seals lines of a box's log. */
export type LineSeal = { readonly key: Uint8Array; readonly gateway: string };

/** Before the first line. */
export const noHead: AuditHead = { sequence: 0, hash: "0".repeat(64) };
/** Bytes of a line without its line feed, sealed or not. */
export const lineBytesMax = 8192;
/** Of the JSON text: what its seal and base64 add fits the line. */
const textBytesMax = 5600;
const textUnitsMax = 256;
const listMax = 8;
const what = "a line of the audit log";
/** `,"hash":"<64 hex>"}` */
const endBytes = 75;

/**
 * The text that comes next behind `previous`, without a line feed, and the new head. Texts are cut to 256 characters, lists to 8, and a subject that
 * is too long all the same is left out.
 */
export function nextLine(
  previous: AuditHead,
  time: string,
  facts: AuditFacts,
): { readonly text: string; readonly head: AuditHead } {
  const text = draft(previous, time, facts, cut(facts.subject));
  const body = Buffer.byteLength(text) > textBytesMax ? draft(previous, time, facts, { cut: true }) : text;
  const hash = sha256(Buffer.from(body));
  return { text: `${body},"hash":"${hash}"}`, head: { sequence: previous.sequence + 1, hash } };
}

function draft(previous: AuditHead, time: string, facts: AuditFacts, subject: AuditSubject): string {
  const { event, outcome, code = null, actor, address = null } = facts;
  const json = {
    sequence: previous.sequence + 1,
    time,
    event,
    outcome,
    code,
    actor: cut(actor),
    address: address?.slice(0, textUnitsMax) ?? null,
    subject,
    previous: previous.hash,
  };
  return JSON.stringify(json).slice(0, -1);
}

function cut<Value extends AuditSubject>(value: Value): AuditSubject {
  const short = (text: string): string => text.slice(0, textUnitsMax).toWellFormed();
  const cutOne = (each: AuditSubject[string]): AuditSubject[string] => {
    if (typeof each === "string") return short(each);
    return Array.isArray(each) ? each.slice(0, listMax).map(short) : each;
  };
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, cutOne(each)]));
}

/** A text as its file has it, without the line feed. */
export function encodeLine(text: string, seal: LineSeal | undefined): Buffer {
  if (seal === undefined) return Buffer.from(text);
  const sealed = sealBox(seal.key, contextOf(seal), Buffer.from(text)).toString("base64");
  return Buffer.from(JSON.stringify({ sealed }));
}

function contextOf({ gateway }: LineSeal): string {
  return `holdfast/audit/${gateway}`;
}

/**
 * Parses a line without its line feed, and checks its own hash.
 * @throws HoldfastError corrupt, limit-exceeded; key-wrong, seal-invalid for a sealed one
 */
export function parseLine(line: Uint8Array, seal: LineSeal | undefined): AuditEntry {
  const outer = asObject(parseJson(line, what, lineBytesMax), what);
  if (outer.sealed === undefined) return parseText(line, outer);
  if (seal === undefined) throw new HoldfastError(ErrorCode.keyWrong, `${what} is sealed by a box`);
  const text = openBox(seal.key, contextOf(seal), fromBase64(outer.sealed, "sealed"), lineBytesMax);
  return parseText(text, asObject(parseJson(text, what, lineBytesMax), what));
}

function parseText(text: Uint8Array, json: Readonly<Record<string, unknown>>): AuditEntry {
  const hash = asHex(json.hash, `hash of ${what}`, 32);
  const end = Math.max(0, text.length - endBytes);
  const isLast = Buffer.from(text.subarray(end)).equals(Buffer.from(`,"hash":"${hash}"}`));
  if (!isLast || sha256(text.subarray(0, end)) !== hash) {
    throw new HoldfastError(ErrorCode.corrupt, `${what} is not what its hash says`);
  }
  return {
    sequence: asInteger(json.sequence, `sequence of ${what}`, 1),
    hash,
    time: asTime(json.time, `time of ${what}`),
    event: oneOf<AuditEvent>(auditEvents, json.event, "event"),
    outcome: oneOf<AuditOutcome>(auditOutcomes, json.outcome, "outcome"),
    code: json.code === null ? null : asText(json.code, `code of ${what}`),
    actor: asActor(json.actor),
    address: json.address === null ? null : asText(json.address, `address of ${what}`),
    subject: asSubject(json.subject),
    previous: asHex(json.previous, `previous of ${what}`, 32),
  };
}

function oneOf<Name extends string>(names: readonly Name[], value: unknown, name: string): Name {
  const known = names.find((each) => each === value);
  if (known === undefined) throw new HoldfastError(ErrorCode.corrupt, `${what} has an unknown ${name}`);
  return known;
}

function asActor(value: unknown): AuditActor {
  const json = asObject(value, `actor of ${what}`);
  const names = Object.entries(json).map(([name, each]) => [name, asText(each, `actor of ${what}`)]);
  return { ...Object.fromEntries(names), kind: oneOf<ActorKind>(actorKinds, json.kind, "kind of actor") };
}

function asSubject(value: unknown): AuditSubject {
  const json = asObject(value, `subject of ${what}`);
  for (const each of Object.values(json)) {
    if (Array.isArray(each)) for (const text of asArray(each, "list", listMax)) asText(text, "text");
    else if (each !== null && typeof each === "object") {
      throw new HoldfastError(ErrorCode.corrupt, `subject of ${what} is more than a list`);
    }
  }
  return json as AuditSubject;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
