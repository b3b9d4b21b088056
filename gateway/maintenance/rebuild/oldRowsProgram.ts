// Reads what is not in packs out of a vault's old database and writes it as one JSON object. A process of its own: a damaged LMDB file may end
// it at any point, or keep it for ever. Arguments: the vault's directory, its id; stdin: the database's key, or nothing.

import { readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { toHex } from "../../../vault/bytes.ts";
import { Needs } from "../../catalog/needs.ts";
import { VaultCatalog } from "../../catalog/vaultCatalog.ts";
import { ChunkIndex } from "../../index/chunkIndex.ts";
import { openIndexToRead } from "../../index/environment.ts";
import { PackPlaces } from "../../index/packPlaces.ts";
import { PackTable } from "../../index/packTable.ts";
import { exportVaultPart } from "../../replica/gatewayState/vaultPart.ts";

const [directory = "", vault = ""] = process.argv.slice(2);
const key = readFileSync(0, "latin1");
const environment = openIndexToRead(join(directory, "index"), key === "" ? undefined : key);
const packs = new PackTable(environment);
const catalog = new VaultCatalog(environment);
const needs = new Needs(environment, new ChunkIndex(environment));
const placesOf = new PackPlaces(environment);
const places: object[] = [];
const named: object[] = [];
for (const { ordinal, name, state } of packs.all()) {
  if (name === undefined) continue;
  named.push({ name: toHex(name), closed: state === "closed" });
  for (const { replica, place } of placesOf.of(ordinal)) {
    const { listed, proof, provenMs } = place;
    const rank = ["none", "checksum", "hashed"].indexOf(proof);
    places.push({ pack: toHex(name), replica, listed, proof: rank, provenMs });
  }
}
// The vault's part passes over what is in open packs.
const wrong = needs.list().flatMap(({ group, id, pack, offset, reporter }) => {
  const isOpen = packs.get(pack)?.state === "open";
  const need = { group, id, pack: null, offset: 0, length: 0, reporter };
  return isOpen ? [{ file: `${pack}.pack`, offset, need }] : [];
});
const answer = Buffer.from(
  JSON.stringify({
    part: exportVaultPart({ id: vault, catalog, needs, store: { packs } }).toString(),
    snapshots: catalog.allSnapshots(),
    packs: named,
    places,
    wrong,
  }),
);
for (let at = 0; at < answer.length; ) at += writeSync(1, answer, at);
