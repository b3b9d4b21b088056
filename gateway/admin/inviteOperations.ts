// Invites as an administrator makes, lists and revokes them. The owner's client makes the secrets and the boxes; the gateway sees neither secret nor keys.

import { checkName } from "../../ingest/wire/names.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { boxOverhead } from "../../vault/keys/box.ts";
import { inviteIdBytes } from "../../vault/keys/invite.ts";
import { wrappingKeyBytes } from "../../vault/keys/ring.ts";
import { type Account, noAccount } from "../catalog/accounts.ts";
import { type InviteBox, type InviteRow, type InviteState, inviteState } from "../catalog/invites.ts";
import type { Gateway } from "../gateway.ts";
import { requireTakeOver } from "../takeOver.ts";
import { bytes } from "./requestChecks.ts";

export type NewInvite = {
  /** 32 hex digits, random. */
  readonly id: string;
  /** SHA-256 of the token that its secret gives, hex. */
  readonly tokenHash: string;
  /** By vault id. */
  readonly boxes: Readonly<Record<string, InviteBox>>;
};

export type NewInvites = {
  readonly invites: readonly NewInvite[];
  readonly expiresInSeconds: number;
  readonly isolated: boolean;
  readonly appendOnly: boolean;
  /** null: what the machine calls itself. For one invite alone. */
  readonly device: string | null;
  /** Id of a device whose history its machine goes on with; null: a new device. For one invite alone. */
  readonly takeOver: string | null;
  /** Fleet that the machines will be in; null: none. */
  readonly fleet: string | null;
};

export type InviteAnswer = Pick<
  InviteRow,
  "id" | "created" | "expires" | "isolated" | "appendOnly" | "device"
> & {
  readonly account: string;
  /** Id of the device whose history goes on, of the name `device`; null: a new one. */
  readonly takeOver: string | null;
  readonly fleet: string | null;
  /** `rotated`: open, and of no use since the account's keys are others. */
  readonly state: InviteState | "rotated";
  /** When it was claimed, used or revoked; null: it was not. */
  readonly claimed: string | null;
  readonly used: string | null;
  readonly revoked: string | null;
  /** Name of the device that was enrolled by it. */
  readonly enrolled: string | null;
};

export type MadeInvites = { readonly expires: string; readonly invites: readonly InviteAnswer[] };

/** Where machines reach the gateway, as far as it knows. */
export type InvitePlace = {
  /** Empty where it was never said. */
  readonly publicUrl: string;
  /** HOST:PORT of the settings. */
  readonly listen: string;
  readonly fingerprint: string;
};

export interface InviteOperations {
  place(): Promise<InvitePlace>;
  /** Adds them, all or none. @throws HoldfastError not-found, usage, limit-exceeded, exists, sequence-conflict (keys were rotated), not-home */
  add(account: string, request: NewInvites): Promise<MadeInvites>;
  /** The oldest first; of an account, or of all. @throws HoldfastError not-found */
  list(account?: string): Promise<InviteAnswer[]>;
  /** Ends one by the beginning of its id, or all that could still be used (null). @throws HoldfastError not-found, usage when that is two */
  revoke(account: string, which: string | null): Promise<InviteAnswer[]>;
}

export const inviteSecondsMin = 60;
export const inviteSecondsMax = 90 * 86_400;
const boxBytes = boxOverhead + wrappingKeyBytes;

export class InviteAdministration implements InviteOperations {
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  async place(): Promise<InvitePlace> {
    const { settings, fingerprint } = this.#gateway.dataDir;
    return { publicUrl: settings.publicUrl, listen: settings.listen, fingerprint };
  }

  async add(name: string, request: NewInvites): Promise<MadeInvites> {
    const { catalog, homes, keysTurns, now } = this.#gateway;
    const account = this.#account(name);
    const { expiresInSeconds, isolated, appendOnly, invites } = request;
    if (expiresInSeconds < inviteSecondsMin || expiresInSeconds > inviteSecondsMax) {
      throw new HoldfastError(
        ErrorCode.usage,
        "an invite is good for a minute at least and 90 days at most",
        {
          next: "Choose another --expires.",
        },
      );
    }
    const former =
      request.takeOver === null ? undefined : requireTakeOver(this.#gateway, account, request.takeOver);
    const given = request.device === null ? null : checkName(request.device, "device");
    const device = former?.name ?? given;
    if (device !== null && invites.length !== 1)
      throw new HoldfastError(ErrorCode.usage, "only one invite at a time can name its device");
    const fleet = request.fleet === null ? null : checkName(request.fleet, "fleet");
    if (fleet !== null && former !== undefined)
      throw new HoldfastError(
        ErrorCode.usage,
        "a device that is taken over stays in the fleet that it is in",
      );
    homes.requireHere(account.id, former?.id);
    const made = now();
    const expires = new Date(made.getTime() + expiresInSeconds * 1000).toISOString();
    const rows = invites.map(({ id, tokenHash, boxes }): InviteRow => {
      return {
        ...{ id: hex(id, inviteIdBytes), account: account.id, tokenHash: hex(tokenHash, 32) },
        ...{ created: made.toISOString(), expires, isolated, appendOnly, device, boxes },
        ...(former !== undefined && { takeOver: former.id }),
        ...(fleet !== null && { fleet }),
      };
    });
    await keysTurns.run(account.id, async () => {
      for (const { boxes } of rows) await this.#checkBoxes(account, boxes);
      catalog.invites.add(account.id, rows, made);
    });
    return { expires, invites: await this.#answers(rows) };
  }

  async list(name?: string): Promise<InviteAnswer[]> {
    const { catalog, now } = this.#gateway;
    catalog.invites.settle(now());
    const account = name === undefined ? undefined : this.#account(name);
    return await this.#answers(catalog.invites.list(account?.id));
  }

  async revoke(name: string, which: string | null): Promise<InviteAnswer[]> {
    const { catalog, now } = this.#gateway;
    const account = this.#account(name);
    const gone = catalog.write(() => {
      const open = catalog.invites
        .list(account.id)
        .filter((row) => ["open", "claimed"].includes(inviteState(row, now())));
      const meant = which === null ? open : open.filter(({ id }) => id.startsWith(which));
      if (which !== null && meant.length !== 1) throw notOne(name, which, meant.length);
      const rows = meant.map((row) => ({ ...row, revoked: now().toISOString(), boxes: {} }));
      for (const row of rows) catalog.invites.put(row);
      return rows;
    });
    return await this.#answers(gone);
  }

  #account(name: string): Account {
    const account = this.#gateway.catalog.accounts.byName(name);
    if (account === undefined) throw noAccount(name);
    return account;
  }

  /** @throws HoldfastError usage, sequence-conflict */
  async #checkBoxes(account: Account, boxes: NewInvite["boxes"]): Promise<void> {
    const vaults = await this.#gateway.vaultsOf(account.id);
    const rows = Object.entries(boxes);
    if (rows.length === 0) throw new HoldfastError(ErrorCode.usage, "an invite needs a box for a vault");
    for (const [id, { epoch, box }] of rows) {
      const vault = vaults.find((each) => each.id === id);
      if (vault === undefined) throw new HoldfastError(ErrorCode.notFound, "no such vault");
      bytes(box, boxBytes, "box of an invite");
      if (vault.keys.epoch === epoch) continue;
      throw new HoldfastError(ErrorCode.sequenceConflict, "the account's keys were rotated meanwhile", {
        next: "Make the invites again.",
      });
    }
  }

  async #answers(rows: readonly InviteRow[]): Promise<InviteAnswer[]> {
    const answers: InviteAnswer[] = [];
    for (const row of rows) answers.push(await this.#answer(row));
    return answers;
  }

  async #answer(row: InviteRow): Promise<InviteAnswer> {
    const { catalog, now } = this.#gateway;
    const { id, created, expires, isolated, appendOnly, device, claim, takeOver = null, fleet = null } = row;
    const { used = null, revoked = null } = row;
    const state = inviteState(row, now());
    const isOver = state === "open" && (await this.#isRotated(row));
    return {
      ...{ id, account: catalog.accounts.get(row.account)?.name ?? row.account, created, expires },
      ...{ isolated, appendOnly, device, state: isOver ? "rotated" : state, claimed: claim?.at ?? null },
      ...{ used, revoked, takeOver, fleet },
      enrolled: used === null ? null : (catalog.devices.get(claim?.device ?? "")?.name ?? null),
    };
  }

  async #isRotated({ boxes }: InviteRow): Promise<boolean> {
    for (const [id, { epoch }] of Object.entries(boxes)) {
      if ((await this.#gateway.vault(id)).keys.epoch !== epoch) return true;
    }
    return false;
  }
}

function hex(text: string, length: number): string {
  if (new RegExp(`^[0-9a-f]{${2 * length}}$`).test(text)) return text;
  throw new HoldfastError(ErrorCode.usage, `not ${length} bytes in hex`);
}

function notOne(account: string, which: string, count: number): HoldfastError {
  if (count > 1) {
    return new HoldfastError(ErrorCode.usage, `${count} open invites begin with ${which}`, {
      next: "Give more of the id.",
    });
  }
  return new HoldfastError(ErrorCode.notFound, `account ${account} has no open invite ${which}`, {
    next: `\`holdfast account invite list ${account}\` shows which there are.`,
  });
}
