// Metrics for whoever may read them: they name accounts, devices and items.

import type { FastifyInstance } from "fastify";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Gateway } from "../gateway.ts";
import type { GatewayMetrics } from "../metrics/gatewayMetrics.ts";
import { MetricsToken } from "../metrics/metricsToken.ts";
import { bearerToken } from "./access.ts";

export function metricsRoute(app: FastifyInstance, gateway: Gateway, metrics: GatewayMetrics): void {
  const token = new MetricsToken(gateway.catalog.environment);
  const text = { content: { "text/plain": { schema: { type: "string" } } } };
  app.get("/metrics", { schema: { response: { 200: text } }, logLevel: "warn" }, async (request, reply) => {
    const { metrics: access } = gateway.dataDir.settings;
    if (access === "off") throw new HoldfastError(ErrorCode.notFound, "metrics are off");
    if (access === "token" && !token.fits(bearerToken(request))) {
      throw new HoldfastError(ErrorCode.tokenInvalid, "this is not the token for metrics", {
        next: "Make one on the gateway's machine: holdfast gateway metrics-token",
      });
    }
    return reply.type(metrics.contentType).send(await metrics.text());
  });
}
