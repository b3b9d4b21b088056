// What an administrator does with app passwords: make, list, revoke.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { appPasswordHash, makeAppPassword, readAppPassword } from "../auth/appPasswordText.ts";
import type { Account } from "../catalog/accounts.ts";
import type { AppPasswordRow } from "../catalog/appPasswords.ts";
import type { Gateway } from "../gateway.ts";
import { listItems } from "../snapshotLists.ts";
import type { AppPasswordAnswer, NewAppPassword } from "./operations.ts";

const labelCharactersMax = 64;
const expirySecondsMax = 100 * 366 * 86_400;
const nameBytesMax = 255;
const segmentsMax = 256;

function answer(gateway: Gateway, row: AppPasswordRow): AppPasswordAnswer {
  const { id, label, read, asUser = null, created, expires = null, lastUsed = null } = row;
  return {
    id,
    label,
    read: read === undefined ? null : `/${read.join("/")}`,
    asUser,
    created,
    expires,
    expired: gateway.appPasswords.hasExpired(row),
    lastUsed,
  };
}

/** An account's app passwords, the oldest first. */
export function listAppPasswords(gateway: Gateway, account: Account): AppPasswordAnswer[] {
  return gateway.appPasswords.list(account.id).map((row) => answer(gateway, row));
}

/** @throws HoldfastError usage, not-found for a folder that is not there, exists for the label, limit-exceeded */
export async function addAppPassword(
  gateway: Gateway,
  account: Account,
  request: NewAppPassword,
): Promise<AppPasswordAnswer & { password: string }> {
  const label = checkLabel(request.label);
  const { expiresIn } = request;
  if (expiresIn !== undefined && (expiresIn < 1 || expiresIn > expirySecondsMax)) {
    throw new HoldfastError(ErrorCode.usage, "an app password is good for 1 second to 100 years", {
      next: "Leave --expires out for one that does not end by itself.",
    });
  }
  const read = request.read === undefined ? undefined : await checkScope(gateway, account, request.read);
  const now = gateway.now();
  for (;;) {
    const { id, text } = makeAppPassword();
    const row: AppPasswordRow = {
      id,
      account: account.id,
      label,
      hash: appPasswordHash(account.id, readAppPassword(text)!).toString("hex"),
      ...(read !== undefined && { read }),
      ...(request.asUser !== undefined && { asUser: request.asUser }),
      created: now.toISOString(),
      ...(expiresIn !== undefined && {
        expires: new Date(now.getTime() + expiresIn * 1000).toISOString(),
      }),
    };
    if (gateway.catalog.appPasswords.add(row)) return { ...answer(gateway, row), password: text };
  }
}

/** Ends one; `which` is its id or its label. @throws HoldfastError not-found, usage when it names two */
export function revokeAppPassword(gateway: Gateway, account: Account, which: string): AppPasswordAnswer {
  const label = which.normalize("NFC");
  const named = gateway.appPasswords
    .list(account.id)
    .filter((row) => row.id === which || (label !== "" && row.label === label));
  if (named.length > 1) {
    throw new HoldfastError(
      ErrorCode.usage,
      `${which} is the id of one app password and the label of another`,
      {
        next: "Revoke the one with the label by its id.",
      },
    );
  }
  const [row] = named;
  if (row === undefined || !gateway.catalog.appPasswords.remove(account.id, row.id)) {
    throw new HoldfastError(ErrorCode.notFound, `account ${account.name} has no app password ${which}`, {
      next: `\`holdfast account app-password list ${account.name}\` shows which there are.`,
    });
  }
  return answer(gateway, row);
}

function checkLabel(written: string): string {
  const label = written.normalize("NFC");
  if ([...label].length <= labelCharactersMax && !/\p{C}/u.test(label)) return label;
  throw new HoldfastError(
    ErrorCode.usage,
    `a label is at most ${labelCharactersMax} characters, none of them a control character`,
    { next: "Choose a shorter --label." },
  );
}

/**
 * The folder names of a path below an account's folder: /DEVICE, /DEVICE/ITEM, or a place inside its snapshots, where the third
 * name is a time or `latest`. Device and item must be there, so that a slip of the finger is told at once.
 * @throws HoldfastError usage, not-found
 */
async function checkScope(gateway: Gateway, account: Account, path: string): Promise<string[]> {
  const wrong = (why: string): HoldfastError =>
    new HoldfastError(ErrorCode.usage, `--read ${JSON.stringify(path)}: ${why}`, {
      next: "Write it like /DEVICE, /DEVICE/ITEM or /DEVICE/ITEM/latest/home/ann.",
    });
  if (!path.startsWith("/")) throw wrong("it does not begin with /");
  const names = path.replace(/\/+$/, "").slice(1).split("/");
  if (names.length > segmentsMax) throw wrong("it is too deep");
  if (names[0] === "") throw wrong("it names nothing");
  for (const name of names) {
    if (name === "") throw wrong("it has an empty name");
    if (name === "." || name === "..") throw wrong(`it may not have ${name}`);
    if (/\p{Cc}/u.test(name)) throw wrong("it has a control character");
    if (!name.isWellFormed()) throw wrong("it is not Unicode");
    if (Buffer.byteLength(name) > nameBytesMax) throw wrong("a name is too long");
  }
  const [device = "", item, time] = [names[0]!.normalize("NFC"), names[1]?.normalize("NFC"), names[2]];
  if (time !== undefined && /^[.@]/.test(time))
    throw wrong("the third name is a snapshot's time or `latest`");
  const missing = (what: string): HoldfastError =>
    new HoldfastError(
      ErrorCode.notFound,
      `--read ${JSON.stringify(path)}: account ${account.name} has no ${what}`,
      {
        next: "`holdfast device list` shows the devices; an item is there from its first backup on.",
      },
    );
  if (!gateway.catalog.devices.list(account.id).some(({ name }) => name === device)) {
    throw missing(`device ${device}`);
  }
  if (item === undefined) return [device];
  if ((await listItems(gateway, account.id, { device, item })).length === 0) {
    throw missing(`item ${item} of device ${device}`);
  }
  return [device, item, ...names.slice(2)];
}
