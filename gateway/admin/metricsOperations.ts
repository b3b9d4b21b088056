// Metrics and who may read them, as an administrator asks for it.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Gateway } from "../gateway.ts";
import type { GatewayMetrics } from "../metrics/gatewayMetrics.ts";
import { MetricsToken } from "../metrics/metricsToken.ts";

export interface MetricsOperations {
  /** In Prometheus' text format. @throws HoldfastError gateway-unreachable where none runs */
  text(): Promise<{ text: string }>;
  /** A token for /metrics; the one before ends. It is stored nowhere. */
  issueToken(): Promise<{ token: string }>;
  /** Ends the token. */
  removeToken(): Promise<{ removed: boolean }>;
}

/** In the gateway's own process; `metrics`: where it runs. */
export function metricsOperations(
  { catalog }: Pick<Gateway, "catalog">,
  metrics: GatewayMetrics | undefined,
): MetricsOperations {
  const token = new MetricsToken(catalog.environment);
  return {
    text: async () => {
      if (metrics !== undefined) return { text: await metrics.text() };
      throw new HoldfastError(ErrorCode.gatewayUnreachable, "metrics are those of a gateway that runs", {
        next: "Start it with `holdfast gateway run --data DIR`.",
      });
    },
    issueToken: async () => ({ token: token.issue() }),
    removeToken: async () => ({ removed: token.remove() }),
  };
}
