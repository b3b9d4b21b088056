// Alerts of a running gateway: looks at everything that may be wrong, brings the log up to date, and sends what is due. One round is a task of its
// upkeep.
//
// Invariant: each condition and each way stands for itself; one that fails is told in the log and holds up no other.

import type { Logger } from "pino";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import type { Gateway } from "../gateway.ts";
import type { DiskForecast } from "../health/diskForecast.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";
import { type Alert, alertSeverities } from "./alertLog.ts";
import { backupsCondition } from "./conditions/backups.ts";
import { type Condition, settle } from "./conditions/condition.ts";
import {
  certificateCondition,
  damageCondition,
  diskCondition,
  replicasCondition,
  vaultsCondition,
} from "./conditions/storage.ts";
import { Courier, type CourierRow } from "./delivery/courier.ts";
import { mailWay } from "./delivery/mail.ts";
import { messageOf } from "./delivery/message.ts";
import type { Way } from "./delivery/way.ts";
import { webhookWay } from "./delivery/webhook.ts";

const wayNames = ["mail", "webhook"] as const;
/** Attempts after which the other ways tell of one that fails. */
const failuresTold = 3;
const hourMs = 3_600_000;

type AlertingGateway = Pick<Gateway, "alerts" | "catalog" | "dataDir" | "now"> & { readonly logger: Logger };

/** The ways that the settings name. */
export function waysOf({ dataDir, now }: Pick<Gateway, "dataDir" | "now">): Way[] {
  const { settings } = dataDir;
  return [mailWay(settings), webhookWay(settings, now)].filter((way) => way !== undefined);
}

/** What came of sending by each way; `failure` is null where it was taken. */
export type TestResult = { readonly way: string; readonly failure: string | null };

/** Sends a test by each way. @throws HoldfastError usage where there is none; cancelled */
export async function testWays(
  gateway: Pick<Gateway, "dataDir" | "now">,
  signal: AbortSignal,
): Promise<TestResult[]> {
  const ways = waysOf(gateway);
  if (ways.length === 0) {
    throw new HoldfastError(ErrorCode.usage, "no way is set up by which alerts could be sent", {
      next: "Set alert-mail-to or alert-webhook in config.toml.",
    });
  }
  const { identity, settings } = gateway.dataDir;
  const time = gateway.now().toISOString();
  const about = { id: `${identity.id}:test:${time}`, kind: "test", time } as const;
  const message = messageOf({ ...about, gateway: { id: identity.id, name: settings.name } }, []);
  return await Promise.all(
    ways.map(async (way) => {
      try {
        await way.send(message, signal);
        return { way: way.name, failure: null };
      } catch (error) {
        if (!isHoldfastError(error, ErrorCode.alertNotSent)) throw error;
        return { way: way.name, failure: `${error.message}. ${error.next}` };
      }
    }),
  );
}

export class Alerting {
  readonly #gateway: AlertingGateway;
  readonly #conditions: readonly Condition[];
  /** By name of the way. */
  readonly #rows: Table<CourierRow>;
  readonly #stopping = new AbortController();

  constructor(gateway: Gateway, forecast: DiskForecast) {
    this.#gateway = gateway;
    this.#rows = openTable(gateway.catalog.environment, "alert-couriers", jsonCodec<CourierRow>());
    this.#conditions = [
      vaultsCondition(gateway),
      backupsCondition(gateway),
      replicasCondition(gateway),
      diskCondition(gateway, forecast),
      damageCondition(gateway),
      certificateCondition(gateway),
    ];
  }

  /** One round. */
  async look(): Promise<void> {
    for (const condition of this.#conditions) {
      if (this.#stopping.signal.aborted) return;
      await this.#settle(condition);
    }
    const ways = waysOf(this.#gateway);
    for (const name of wayNames) if (!ways.some((way) => way.name === name)) this.#forget(name);
    await Promise.all(ways.map((way) => this.#send(way)));
  }

  async #settle(condition: Condition): Promise<void> {
    const { alerts, now, logger } = this.#gateway;
    try {
      await settle(condition, alerts, now().getTime());
    } catch (error) {
      if (isHoldfastError(error, ErrorCode.cancelled)) return;
      logger.warn({ kinds: condition.kinds, err: error }, "alerts-not-looked-at");
    }
  }

  async #send(way: Way): Promise<void> {
    const { alerts, logger } = this.#gateway;
    try {
      await this.#courier(way).look(this.#stopping.signal);
      if (this.#rows.get(keyOf(way.name))?.failures === 0) alerts.resolve("alerts-not-sent", way.name);
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      const failures = this.#rows.get(keyOf(way.name))?.failures ?? 0;
      logger.warn({ way: way.name, failures, err: error }, "alert-not-sent");
      if (failures < failuresTold) return;
      alerts.raise({
        kind: "alerts-not-sent",
        severity: "warning",
        subject: way.name,
        message: `alerts do not reach anybody by ${way.name}. \`holdfast alert test\` says why.`,
        figures: { failures },
      });
    }
  }

  #courier(way: Way): Courier {
    const { alerts, catalog, dataDir, now } = this.#gateway;
    const { alertLeast, alertRepeatHours, name } = dataDir.settings;
    const least = alertSeverities.indexOf(alertLeast);
    const key = keyOf(way.name);
    return new Courier(way, {
      alerts,
      row: () => this.#rows.get(key),
      keep: (row) => catalog.write(() => this.#rows.put(key, row)),
      gateway: { id: dataDir.identity.id, name },
      nowMs: () => now().getTime(),
      isGrave: ({ severity }: Alert) => alertSeverities.indexOf(severity) >= least,
      repeatMs: alertRepeatHours * hourMs,
    });
  }

  /** A way that is not set up any more begins anew when it is again. */
  #forget(name: string): void {
    const { catalog, alerts } = this.#gateway;
    if (this.#rows.get(keyOf(name)) === undefined) return;
    catalog.write(() => this.#rows.remove(keyOf(name)));
    alerts.resolve("alerts-not-sent", name);
  }

  /** Ends what is being sent. */
  stop(): void {
    this.#stopping.abort(new HoldfastError(ErrorCode.cancelled, "the gateway is stopping"));
  }
}

function keyOf(way: string): Buffer {
  return Buffer.from(way);
}
