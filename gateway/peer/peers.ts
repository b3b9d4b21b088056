// The gateways that keep replicas here, their tokens, and their open folders: DATA/peers/<id>/.
//
// Invariants
// - A request sees the folder of the peer whose token it has, and nothing else.
// - A folder is opened when it is first needed, once.

import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { checkName } from "../../ingest/wire/names.ts";
import { peerLimits } from "../../ingest/wire/peer.ts";
import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { gatewayReceiptSeed, ReceiptSigner } from "../../vault/replica/receipt.ts";
import { issueToken, tokenHash, tokenKind } from "../auth/tokens.ts";
import { type PeerRow, type PeerRows, peerTaken } from "../catalog/peers.ts";
import { DurableFolders } from "../replica/folder/durableFolders.ts";
import { markFolder } from "../replica/folder/marker.ts";
import { fileError } from "../store/files.ts";
import { PeerFolder } from "./peerFolder.ts";
import { PeerRoom } from "./room.ts";
import { PeerUploads } from "./uploads.ts";

export type PeersOptions = {
  readonly rows: PeerRows;
  /** The data directory. */
  readonly path: string;
  /** This gateway's secret (32 bytes) and id (16 bytes): receipts are signed with a key from them. */
  readonly secret: Uint8Array;
  readonly gatewayId: Uint8Array;
  readonly now: () => Date;
  /** What is to stay free on the disk. */
  readonly reserveBytes: () => number;
};

/** What a peer's requests work on. */
export type OpenPeer = {
  readonly folder: PeerFolder;
  readonly uploads: PeerUploads;
  readonly bodies: Slots;
  readonly reads: Slots;
  readonly checks: Slots;
};

export class Peers {
  readonly rows: PeerRows;
  readonly room: PeerRoom;
  readonly signer: ReceiptSigner;
  readonly #options: PeersOptions;
  readonly #open = new Map<string, Promise<OpenPeer>>();

  constructor(options: PeersOptions) {
    this.#options = options;
    this.rows = options.rows;
    this.room = new PeerRoom(options.rows, options.reserveBytes);
    this.signer = new ReceiptSigner(gatewayReceiptSeed(options.secret, options.gatewayId));
  }

  /** Whose token it is. @throws HoldfastError token-invalid */
  authenticate(token: string): PeerRow {
    const row = tokenKind(token) === "peer" ? this.rows.byToken(tokenHash(token)) : undefined;
    if (row !== undefined) return row;
    throw new HoldfastError(ErrorCode.tokenInvalid, "this is no token of a peer, or it was replaced", {
      next: "Ask whoever runs the far gateway for a new token file (`holdfast peer rotate`).",
    });
  }

  /** A peer's folder and what goes on in it. @throws HoldfastError disk-full, io-error */
  open(row: PeerRow): Promise<OpenPeer> {
    const known = this.#open.get(row.id);
    if (known !== undefined) return known;
    const { rows, now } = this.#options;
    const opening = PeerFolder.open({ id: row.id, path: this.folderPath(row.id), rows, now }).then(
      (folder) => ({
        folder,
        uploads: new PeerUploads(folder, this.room),
        bodies: new Slots(peerLimits.bodiesPerPeer),
        reads: new Slots(peerLimits.readsPerPeer),
        checks: new Slots(peerLimits.checksPerPeer),
      }),
    );
    this.#open.set(row.id, opening);
    opening.catch(() => this.#open.delete(row.id));
    return opening;
  }

  folderPath(id: string): string {
    return join(this.#options.path, "peers", id);
  }

  /** Adds a peer, with an empty folder; the token is stored nowhere. @throws HoldfastError usage, exists, disk-full, io-error */
  async add(
    name: string,
    options: Pick<PeerRow, "quotaBytes" | "holdSeconds">,
  ): Promise<{ row: PeerRow; token: string }> {
    const { token, hash } = issueToken("peer");
    const row: PeerRow = {
      id: toHex(randomBytes(16)),
      name: checkName(name, "peer"),
      tokenHash: toHex(hash),
      quotaBytes: options.quotaBytes,
      holdSeconds: options.holdSeconds,
      created: this.#options.now().toISOString(),
    };
    if (this.rows.byName(row.name) !== undefined) throw peerTaken(row.name);
    const folder = this.folderPath(row.id);
    try {
      await new DurableFolders(this.#options.path).make(relative(this.#options.path, folder));
    } catch (error) {
      throw fileError(error, folder);
    }
    await markFolder(folder);
    this.rows.add(row);
    return { row, token };
  }

  /** Gives a peer another token, in place of the one it has. @throws HoldfastError not-found */
  rotate(name: string): { row: PeerRow; token: string } {
    const row = this.named(name);
    const { token, hash } = issueToken("peer");
    this.rows.setToken(row.id, toHex(hash));
    return { row, token };
  }

  /**
   * Forgets a peer; its token is worth nothing from then on.
   * @returns where its objects are, or were
   * @throws HoldfastError not-found, io-error
   */
  async remove(name: string, deleteData: boolean): Promise<{ row: PeerRow; folder: string }> {
    const row = this.named(name);
    const folder = this.folderPath(row.id);
    this.rows.remove(row.id);
    this.#open.delete(row.id);
    if (deleteData) {
      try {
        // An object that was arriving may get its name meanwhile.
        await rm(folder, { recursive: true, force: true, maxRetries: 3 });
      } catch (error) {
        throw fileError(error, folder);
      }
    }
    return { row, folder };
  }

  /** @throws HoldfastError not-found */
  named(name: string): PeerRow {
    const row = this.rows.byName(name.normalize("NFC"));
    if (row !== undefined) return row;
    throw new HoldfastError(ErrorCode.notFound, `there is no peer ${name}`, {
      next: "`holdfast peer list --data DIR` shows which there are.",
    });
  }
}

/** A bounded number of things at a time; one more is told to come back. */
export class Slots {
  readonly #most: number;
  #taken = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** @throws HoldfastError busy, and what `work` throws */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#taken >= this.#most) throw new HoldfastError(ErrorCode.busy, "this peer asks enough at a time");
    this.#taken++;
    try {
      return await work();
    } finally {
      this.#taken--;
    }
  }
}
