// What an administrator asks of alerts, in the gateway's own process or over its admin socket.

import { type TestResult, testWays } from "../alerts/alerting.ts";
import type { Alert } from "../alerts/alertLog.ts";
import { type Expectation, Expectations } from "../alerts/conditions/expectations.ts";
import type { Gateway } from "../gateway.ts";
import type { JobWatch } from "./job.ts";
import { type ScopedVault, vaultsInScope } from "./retentionScope.ts";

/** How often a snapshot of an item is expected: seconds, null for never, "learn" for the rhythm of its backups. */
export type ExpectRequest = {
  readonly account: string;
  readonly device: string;
  readonly item: string;
  readonly everySeconds: number | null | "learn";
};

export type TestReport = { readonly results: readonly TestResult[] };

export interface AlertOperations {
  /** The newest first; `all`: also those that are over. */
  list(all: boolean): Promise<Alert[]>;
  /** Notes that a person knows of it. @throws HoldfastError not-found */
  acknowledge(id: number, note: string): Promise<Alert>;
  /** Sends a test by each way that the settings name. @throws HoldfastError usage where there is none; cancelled */
  test(watch: JobWatch<never>): Promise<TestReport>;
  /** @throws HoldfastError not-found */
  expect(request: ExpectRequest): Promise<void>;
}

export function alertOperations(gateway: Gateway): AlertOperations {
  const { alerts, catalog, now } = gateway;
  return {
    list: async (all) => alerts.list(all),
    acknowledge: async (id, note) => alerts.acknowledge(id, note),
    test: async ({ signal }) => ({ results: await testWays(gateway, signal) }),
    expect: async ({ everySeconds, ...scope }) => {
      const found: ScopedVault[] = await vaultsInScope(gateway, scope);
      const expectation: Expectation | undefined =
        everySeconds === "learn" ? undefined : { everySeconds, since: now().toISOString() };
      const rows = new Expectations(catalog.environment);
      for (const { id } of found.flatMap(({ items }) => items)) rows.set(id, expectation);
    },
  };
}
