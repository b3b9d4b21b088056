// Checks the vaults of a gateway, one after the other, while it runs or not.

import type { JobWatch } from "../../admin/job.ts";
import type { CheckedVault, CheckRequest, CheckResult } from "../../admin/upkeepOperations.ts";
import type { Gateway } from "../../gateway.ts";
import { PackChecks } from "../../index/packChecks.ts";
import { PackPlaces } from "../../index/packPlaces.ts";
import { packsShown } from "../../jobs/shownProgress.ts";
import type { OpenVault } from "../../openVault.ts";
import { readThrottle } from "../readThrottle.ts";
import { vaultsAsked } from "../rebuild/rebuildGateway.ts";
import { packsByAge } from "../scrub.ts";
import { tellDamage } from "../tellDamage.ts";
import type { CheckProgress } from "./checkTypes.ts";
import { checkVault } from "./checkVault.ts";

/** See UpkeepOperations. */
export function checkGateway(
  gateway: Gateway,
  request: CheckRequest,
  watch: JobWatch<CheckProgress>,
): Promise<CheckResult> {
  return gateway.jobs.run(
    { kind: "check", subject: "" },
    { ...watch, shown: (progress) => packsShown(`checking ${progress.phase}`)(progress) },
    (watch) => checkAll(gateway, request, watch),
    ({ vaults }) => {
      const count = (of: (vault: CheckedVault) => number): number =>
        vaults.reduce((sum, vault) => sum + of(vault), 0);
      const problems = count((vault) => vault.problems.length + vault.moreProblems);
      const hurt = count((vault) => vault.hurt.length);
      return {
        figures: { packs: count(({ packs }) => packs), problems, hurt },
        warnings: problems + hurt > 0,
      };
    },
  );
}

async function checkAll(
  gateway: Gateway,
  request: CheckRequest,
  { onProgress, signal }: JobWatch<CheckProgress>,
): Promise<CheckResult> {
  const throttle = readThrottle(gateway, request.limit, signal);
  const vaults: CheckedVault[] = [];
  for (const { id } of vaultsAsked(gateway, request.vault)) {
    const vault = await gateway.vault(id);
    const { store, catalog } = vault;
    const checks = new PackChecks(store.environment);
    const places = new PackPlaces(store.environment);
    const drawn = await longestUnread(vault, request.readShare);
    const check = await checkVault({
      ...{ vault: id, directory: gateway.vaultDirectory(id), throttle, onProgress, signal },
      tables: { index: store.index, packs: store.packs, places, catalog },
      flush: () => store.flush(() => undefined),
      isHashed: ({ ordinal }) => drawn.has(ordinal),
      onHashed: ({ ordinal }) =>
        checks.put(ordinal, { by: "check", atMs: gateway.now().getTime(), sound: true }),
    });
    const files = check.hurt.length === 0 ? [] : await gateway.content?.hurtFiles(id, check.hurt, signal);
    for (const { kind, ...problem } of check.problems) {
      if (kind !== "pack" && kind !== "snapshot") {
        gateway.logger.warn({ vault: id, kind, ...problem }, "check-damage");
        continue;
      }
      const { name, why } = problem;
      const notHealed = "a check does not heal; a scrub does";
      tellDamage(gateway, { vault: id, kind, name, why, condition: "damaged", healedFrom: null, notHealed });
      const ordinal = kind === "pack" ? store.packs.ordinalOf(Buffer.from(name, "hex")) : undefined;
      const atMs = gateway.now().getTime();
      if (ordinal !== undefined) checks.put(ordinal, { by: "check", atMs, sound: false });
    }
    vaults.push({ ...check, files: files ?? null });
  }
  return { vaults };
}

/** Local packs that were compared with their hash longest ago, as many as make up a share of all bytes. */
async function longestUnread(vault: OpenVault, share: number): Promise<Set<number>> {
  const packs = await packsByAge(vault);
  const drawn = new Set<number>();
  let left = share * packs.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const { ordinal, bytes } of packs) {
    if (left <= 0) break;
    drawn.add(ordinal);
    left -= bytes;
  }
  return drawn;
}
