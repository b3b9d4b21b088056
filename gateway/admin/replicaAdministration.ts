// Replica operations in the gateway's own process.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Replica } from "../catalog/replicas.ts";
import type { Gateway } from "../gateway.ts";
import { eraseRemains } from "../removal/eraseRemains.ts";
import { addReplica } from "../replica/addReplica.ts";
import { verifyReplica } from "../replica/verify/verifyReplica.ts";
import type { ReplicaOperations } from "./replicaOperations.ts";

export class ReplicaAdministration implements ReplicaOperations {
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  #replica(name: string): Replica {
    const replica = this.#gateway.catalog.replicas.byName(name);
    if (replica === undefined) {
      throw new HoldfastError(ErrorCode.notFound, `there is no replica ${name}`, {
        next: "`holdfast replica status` lists them.",
      });
    }
    return replica;
  }

  readonly add: ReplicaOperations["add"] = (request) => addReplica(this.#gateway, request);

  readonly status: ReplicaOperations["status"] = (name) =>
    this.#gateway.replication.status(name === undefined ? undefined : this.#replica(name).id);

  readonly run: ReplicaOperations["run"] = async ({ name, takeOver }, { signal, onProgress }) => ({
    reports: await this.#gateway.replication.run({
      replica: this.#replica(name).id,
      takeOver,
      signal,
      onProgress: (vault, progress) => onProgress({ vault, progress }),
    }),
  });

  readonly verify: ReplicaOperations["verify"] = async (request, watch) => {
    const replica = this.#replica(request.name);
    const report = await this.#gateway.jobs.run(
      { kind: "replica-verify", subject: replica.name },
      {
        ...watch,
        shown: ({ budget, objectsDone, bytesDone }) => ({
          ...{ phase: "verifying", unit: "object", done: objectsDone, total: budget.objects },
          bytes: bytesDone,
        }),
      },
      (watch) => verifyReplica(this.#gateway, replica, request, watch),
      ({ packs, packsVerified, findings }) => {
        const healed = findings.filter((finding) => finding.healed).length;
        const figures = { packs, verified: packsVerified, healed, damaged: findings.length - healed };
        return { figures, warnings: findings.length > 0 };
      },
    );
    // Receipts may have waited for this. What was found wrong is left to who asked, and to the next run.
    if (report.findings.every(({ healed }) => healed)) this.#gateway.replication.added(replica.id);
    return report;
  };

  readonly remove: ReplicaOperations["remove"] = async ({ name, abandon }, watch) => {
    const { id } = this.#replica(name);
    return await this.#gateway.jobs.run(
      { kind: "replica-remove", subject: name },
      {
        ...watch,
        shown: ({ fetchedPacks }) => ({ phase: "fetching back", unit: "pack", done: fetchedPacks }),
      },
      async ({ signal, onProgress }) => {
        let fetchedPacks = 0;
        const onFetched = (packs: number): void => {
          fetchedPacks = packs;
          onProgress({ fetchedPacks });
        };
        await this.#gateway.replication.remove(id, { abandon, onFetched, signal });
        return { fetchedPacks };
      },
      (done) => ({ figures: { fetched_packs: done.fetchedPacks } }),
    );
  };

  readonly erase: ReplicaOperations["erase"] = async ({ name, dryRun }, watch) => {
    const replica = this.#replica(name);
    const erase = async (watch: Parameters<ReplicaOperations["erase"]>[1]) => ({
      vaults: await eraseRemains(this.#gateway, replica, { dryRun }, watch),
    });
    if (dryRun) return await erase(watch);
    return await this.#gateway.jobs.run(
      { kind: "replica-erase", subject: name },
      {
        ...watch,
        shown: ({ objects, bytes }) => ({ phase: "erasing", unit: "object", done: objects, bytes }),
      },
      erase,
      ({ vaults }) => {
        const [objects, bytes, left] = (["objects", "bytes", "left"] as const).map((field) =>
          vaults.reduce((sum, vault) => sum + vault[field], 0),
        ) as [number, number, number];
        return { figures: { vaults: vaults.length, objects, bytes, left }, warnings: left > 0 };
      },
    );
  };
}
