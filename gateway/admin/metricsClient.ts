// Metrics of a running gateway, over its admin socket.

import type { MetricsOperations } from "./metricsOperations.ts";
import type { Ask } from "./peerClient.ts";

export function metricsClient(ask: Ask): MetricsOperations {
  return {
    text: () => ask("GET", "/metrics"),
    issueToken: () => ask("POST", "/metrics/token", {}),
    removeToken: () => ask("DELETE", "/metrics/token"),
  };
}
