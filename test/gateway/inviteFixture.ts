// Invites, with their secrets in the test's hand.

import { randomBytes } from "node:crypto";
import type { NewInvites } from "../../gateway/admin/inviteOperations.ts";
import { tokenHash } from "../../gateway/auth/tokens.ts";
import type { ClaimRequest, DeviceWrapRequest } from "../../ingest/wire/messages.ts";
import { toHex } from "../../vault/bytes.ts";
import { generateKeyPair } from "../../vault/keys/box.ts";
import { inviteToken, openWithInvite, sealInviteBox } from "../../vault/keys/invite.ts";
import { parseKeysDocument } from "../../vault/keys/keysDocument.ts";
import { makeDeviceWrap } from "../../vault/keys/wraps.ts";
import type { GatewayFixture, TestAccount } from "./gatewayFixture.ts";

export type TestInvite = { readonly id: string; readonly secret: Buffer; readonly token: string };

/** Makes one for an account whose keys were not rotated since `account` was made. */
export async function addInvite(
  { administration, gateway }: GatewayFixture,
  account: TestAccount,
  wish: Partial<NewInvites> = {},
): Promise<TestInvite> {
  const id = toHex(randomBytes(16));
  const secret = randomBytes(32);
  const { keys } = await gateway.vault(account.vault);
  const box = sealInviteBox(secret, id, keys, account.opened.e).toString("base64");
  const token = inviteToken(secret, id);
  await administration.invites.add(account.name, {
    invites: [{ id, tokenHash: toHex(tokenHash(token)), boxes: { [account.vault]: { epoch: 1, box } } }],
    ...{
      expiresInSeconds: 3600,
      isolated: false,
      appendOnly: false,
      device: null,
      takeOver: null,
      fleet: null,
    },
    ...wish,
  });
  return { id, secret, token };
}

/** A machine that has an invite's file. */
export class InvitedMachine {
  readonly pair = generateKeyPair();
  readonly id: string;
  readonly #fixture: GatewayFixture;
  readonly #invite: TestInvite;
  readonly request: ClaimRequest;

  constructor(fixture: GatewayFixture, invite: TestInvite, id = toHex(randomBytes(16))) {
    this.id = id;
    this.#fixture = fixture;
    this.#invite = invite;
    this.request = {
      device: this.id,
      publicKey: this.pair.publicKey.toString("base64"),
      claim: randomBytes(32).toString("base64"),
    };
  }

  claim() {
    return this.#fixture.client(this.#invite.token).claimInvite(this.request);
  }

  /** Wraps of E as its box gives it. */
  wraps({ vaults }: Awaited<ReturnType<InvitedMachine["claim"]>>): Record<string, DeviceWrapRequest> {
    return Object.fromEntries(
      vaults.map(({ id, box, keys }) => {
        const document = parseKeysDocument(keys);
        const { secret, id: invite } = this.#invite;
        const { e } = openWithInvite(document, secret, invite, Buffer.from(box, "base64"));
        const wrap = makeDeviceWrap(document, e, this.id, this.pair.publicKey);
        return [id, { generation: document.generation, box: wrap.box, proof: wrap.proof! }];
      }),
    );
  }

  enroll(name: string, wraps: Record<string, DeviceWrapRequest>) {
    const { claim } = this.request;
    return this.#fixture.client(this.#invite.token).enrollInvited({ name, claim, wraps });
  }
}
