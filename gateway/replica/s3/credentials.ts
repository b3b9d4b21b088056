// Where the keys to a bucket come from: a file as ~/.aws/credentials, the environment, or the SDK's own chain (profiles
// that take a role, instance roles).
//
// Invariants
// - A secret is in no message, log or `toString`: errors name files and profiles alone.
// - A file is read again whenever the SDK asks, so changed keys count at once.

import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { ReplicaOptions } from "../../catalog/replicas.ts";

export type S3Credentials = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
};

const fileBytesMax = 1 << 20;

/** Gives credentials anew each time; undefined: the SDK looks for them (profiles with roles, instance roles). */
export type CredentialSource = (() => Promise<S3Credentials>) | undefined;

/** What to ask for credentials, by the replica's options and the environment. */
export function credentialSource(
  options: ReplicaOptions,
  environment: Readonly<Record<string, string | undefined>>,
): CredentialSource {
  const { credentialsFile, profile } = options;
  if (credentialsFile !== undefined) return () => fromFile(credentialsFile, profile ?? "default");
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = environment;
  if (profile !== undefined || !accessKeyId || !secretAccessKey) return undefined;
  const sessionToken = environment.AWS_SESSION_TOKEN;
  return async () => ({ accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) });
}

/** The bucket's region: as given, of the environment, of the profile in ~/.aws/config, or that of Amazon's first. */
export async function regionOf(
  { region, profile }: ReplicaOptions,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const known = region ?? environment.AWS_REGION;
  if (known !== undefined) return known;
  const path = environment.AWS_CONFIG_FILE ?? join(environment.HOME ?? "/", ".aws", "config");
  const text = await readFile(path, "utf8").catch(() => ""); // there need not be one
  return (
    parseIni(text)
      .get(profile ?? "default")
      ?.get("region") ?? "us-east-1"
  );
}

async function fromFile(path: string, profile: string): Promise<S3Credentials> {
  let text: string;
  try {
    if ((await stat(path)).size > fileBytesMax) throw new Error("it is too large to be one");
    text = await readFile(path, "utf8");
  } catch (error) {
    throw unusable(path, (error as Error).message, error);
  }
  const section = parseIni(text).get(profile);
  if (section === undefined) throw unusable(path, `it has no section [${profile}]`);
  const accessKeyId = section.get("aws_access_key_id");
  const secretAccessKey = section.get("aws_secret_access_key");
  const sessionToken = section.get("aws_session_token");
  if (!accessKeyId || !secretAccessKey) {
    throw unusable(path, `[${profile}] lacks aws_access_key_id or aws_secret_access_key`);
  }
  return { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) };
}

/** Sections of an ini file: `[name]` lines, `key = value` lines, comments with # or ; at a line's start. What is none of these is skipped. */
export function parseIni(text: string): Map<string, Map<string, string>> {
  const sections = new Map<string, Map<string, string>>();
  let section: Map<string, string> | undefined;
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#") || line.startsWith(";")) continue;
    const end = line.startsWith("[") ? line.indexOf("]") : -1;
    if (end > 0) {
      const words = line.slice(1, end).trim().split(/\s+/);
      const name = words.length > 1 && words[0] === "profile" ? words.slice(1).join(" ") : words.join(" ");
      section = sections.get(name) ?? new Map();
      sections.set(name, section);
      continue;
    }
    const equals = line.indexOf("=");
    if (equals <= 0) continue;
    const value = line.slice(equals + 1);
    const comment = value.search(/\s[#;]/);
    const name = line.slice(0, equals).trim().toLowerCase();
    section?.set(name, (comment < 0 ? value : value.slice(0, comment)).trim());
  }
  return sections;
}

function unusable(path: string, why: string, cause?: unknown): HoldfastError {
  return new HoldfastError(ErrorCode.replicaRefused, `cannot use the credentials file ${path}: ${why}`, {
    next: "Write it as ~/.aws/credentials: [default], aws_access_key_id = ..., aws_secret_access_key = ...; mode 0600.",
    detail: { path },
    cause,
  });
}
