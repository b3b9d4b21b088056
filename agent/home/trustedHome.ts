// What a machine believes of the home of its backups: the newest record of the directory that it trusts (docs/seeding.md, "Homes").
//
// Invariants
// - A record counts only with the directory's signature, for this account, and with a generation above the newest that was seen (or as
//   the same bytes). What counts is on disk before anything is sent to the gateway that it names.

import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { type Home, type HomeRecord, homeOf, openHomeRecord } from "../../vault/seed/homeRecord.ts";
import type { Directory, Enrollment } from "../state/enrollment.ts";

/** The record that an enrolment holds; undefined where there never was one. @throws HoldfastError corrupt */
export function seenRecord({ directory, homeRecord }: Enrollment): HomeRecord | undefined {
  if (directory === undefined || homeRecord === undefined) return undefined;
  return openHomeRecord(Buffer.from(homeRecord), directory.signer);
}

/**
 * Checks a record that a gateway showed.
 * @returns the device's home by it, with addresses: those of the directory where the record names none for it
 * @throws HoldfastError home-forged, home-behind
 */
export function checkedHome(
  text: string,
  enrollment: Enrollment,
  directory: Directory,
): { readonly home: Home; readonly generation: number } {
  const record = signedRecord(text, directory);
  if (record.account !== enrollment.account.id || record.directory.id !== directory.id) {
    throw forged("it is for another account or from another directory");
  }
  const seen = seenRecord(enrollment);
  if (seen !== undefined && record.generation < seen.generation) {
    throw new HoldfastError(
      ErrorCode.homeBehind,
      `home record ${record.generation} is older than ${seen.generation}, which this machine saw`,
      {
        next: "If a box was sealed without a line, give its manifest to the datacentre: `holdfast seed promise FILE`. If the directory was set back on purpose: `holdfast agent backup --accept-older`.",
      },
    );
  }
  if (record.generation === seen?.generation && text !== enrollment.homeRecord) {
    throw forged(`it is another one under generation ${record.generation}`);
  }
  const home = homeOf(record, enrollment.device.id);
  const urls = home.urls.length === 0 && home.gateway === directory.id ? directory.urls : home.urls;
  return { home: { ...home, urls }, generation: record.generation };
}

/** Where devices that are still to be enrolled belong, by a record that a gateway showed. @throws HoldfastError home-forged */
export function homeOfNewcomers(text: string, directory: Directory): Home {
  const record = signedRecord(text, directory);
  if (record.directory.id !== directory.id) throw forged("it is from another directory");
  const home = homeOf(record, undefined);
  const urls = home.urls.length === 0 && home.gateway === directory.id ? directory.urls : home.urls;
  return { ...home, urls };
}

function signedRecord(text: string, { signer }: Directory): HomeRecord {
  try {
    return openHomeRecord(Buffer.from(text), signer);
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    throw forged(error.message, error);
  }
}

function forged(why: string, cause?: unknown): HoldfastError {
  return new HoldfastError(
    ErrorCode.homeForged,
    `a gateway shows a home record that cannot be trusted: ${why}`,
    {
      next: "Nothing was sent to where it leads. Find out who answers at the gateway's address.",
      cause,
    },
  );
}
