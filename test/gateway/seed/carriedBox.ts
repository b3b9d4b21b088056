// A box with some snapshots, sealed, whose manifest its datacentre has or has not; and what must be there when all of it was imported.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { ImportReport } from "../../../gateway/admin/importOperations.ts";
import { fromHex } from "../../../vault/bytes.ts";
import { SigningKey } from "../../../vault/keys/signature.ts";
import { gatewayReceiptSeed } from "../../../vault/replica/receipt.ts";
import { parseCustody } from "../../../vault/seed/custody.ts";
import { openSeedReceipt } from "../../../vault/seed/seedReceipt.ts";
import { GatewayFixture, type TestDevice } from "../gatewayFixture.ts";
import { vaultPackBytes } from "./boxDisks.ts";
import {
  boxKeyAt,
  type Committed,
  commitOn,
  OpenBox,
  prepareRequest,
  seal,
  unwatched,
} from "./boxFixture.ts";

/** Packs of this size are kept as they are. */
const packBytesTarget = 9 * 2 ** 20;

export type CarriedBox = {
  /** Stopped. */
  readonly datacentre: GatewayFixture;
  readonly device: TestDevice;
  /** Of the box, closed. */
  readonly directory: string;
  readonly boxKey: Buffer;
  readonly snapshots: readonly Committed[];
  /** What is read of each snapshot on the box. */
  readonly onBoard: readonly (readonly string[])[];
};

/** \`url\`: where the box will be found, when it is to be imported over the network. */
export async function carryBox(
  scratch: string,
  { url, snapshots: count, mebibytes }: { url?: string; snapshots: number; mebibytes: number },
): Promise<CarriedBox> {
  const datacentre = await GatewayFixture.create({}, join(scratch, "datacentre"));
  const device = await datacentre.device(await datacentre.account("acme"), "laptop");
  const directory = join(scratch, "box");
  const urls = { datacentreUrls: [datacentre.listening.url], ...(url !== undefined && { urls: [url] }) };
  await datacentre.administration.seed.prepare(prepareRequest(directory, ["acme"], urls));
  const boxKey = await boxKeyAt(datacentre.gateway, directory);
  const box = await OpenBox.open(directory, boxKey, packBytesTarget);
  const snapshots: Committed[] = [];
  for (let n = 0; n < count; n++) {
    const contents = Array.from({ length: mebibytes }, () => randomBytes(2 ** 20));
    snapshots.push(await commitOn(box.client(device.token), device, "files", contents));
  }
  await seal(box);
  await box.administration.seed.send(unwatched);
  const onBoard = await recordsOf(box, device, snapshots);
  await box.close();
  await datacentre.stop();
  return { datacentre, device, directory, boxKey, snapshots, onBoard };
}

/** The end of every record of these snapshots, as a gateway reads it. */
function recordsOf(
  gateway: OpenBox | GatewayFixture,
  { token, vault, group }: TestDevice,
  snapshots: readonly Committed[],
): Promise<string[][]> {
  return Promise.all(
    snapshots.map(async ({ root, chunks }) => {
      const read = await gateway.client(token).readAll(vault, group, [root, ...chunks]);
      return read.map((found) =>
        found?.state === "record" ? found.record.toString("base64").slice(-60) : "not here",
      );
    }),
  );
}

/** Runs the import to its end (again) and looks at all of it: each pack once, every snapshot whole, receipt and custody log right. */
export async function expectImported(
  { datacentre, device, directory, snapshots, onBoard }: CarriedBox,
  source: string = directory,
): Promise<ImportReport> {
  const request = { sources: [source], box: 1, finish: false, dryRun: false };
  const report = await datacentre.administration.imports.run(request, unwatched);
  const whole = snapshots.length;
  expect(report).toMatchObject({ state: "imported", left: 0, refused: 0, snapshots: whole, whole, needs: 0 });
  const { kept, merged, present } = report.outcomes;
  expect(kept + merged + present).toBe(report.packs);
  expect(await recordsOf(datacentre, device, snapshots)).toEqual(onBoard);
  const vault = await datacentre.gateway.vault(device.vault);
  expect(vault.store.index.promised.any()).toBe(false);
  // Nothing is there twice: what is not kept as it is went into other packs once.
  const bytes = vaultPackBytes(datacentre.gateway.vaultDirectory(device.vault));
  expect(bytes).toBeLessThan(report.packBytes + 2 ** 20);
  const names = [...vault.store.packs.all()].flatMap(({ name }) =>
    name === undefined ? [] : [Buffer.from(name).toString("hex")],
  );
  expect(names).toHaveLength(new Set(names).size);

  const { identity } = datacentre.gateway.dataDir;
  const signer = new SigningKey(
    gatewayReceiptSeed(Buffer.from(identity.secret, "base64"), fromHex(identity.id, 16)),
  );
  const row = datacentre.gateway.catalog.boxes.get(1);
  expect(openSeedReceipt(readFileSync(report.receipt!), signer.publicKey)).toMatchObject({
    ...{ box: 1, id: row?.id, seal: 1, manifest: row?.seal?.manifest, packs: report.packs },
    ...{ packBytes: report.packBytes, taken: kept + merged, present, needs: 0, snapshots: whole, whole },
  });
  const custody = parseCustody(readFileSync(join(datacentre.path, "seed", "1", "custody")));
  const events = custody.entries.map(({ event }) => event);
  expect(events.slice(-2)).toEqual(["importing", "imported"]);
  expect(events).toHaveLength(new Set(events).size);
  return report;
}
