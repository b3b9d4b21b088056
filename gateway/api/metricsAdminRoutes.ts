// The admin socket's routes about metrics.

import type { FastifyInstance } from "fastify";
import type { MetricsOperations } from "../admin/metricsOperations.ts";
import type { Gateway } from "../gateway.ts";
import { object } from "./schemas.ts";

export function metricsAdminRoutes(
  app: FastifyInstance,
  { logger }: Pick<Gateway, "logger">,
  operations: MetricsOperations,
): void {
  app.get("/metrics", { schema: { querystring: object({}) } }, async () => await operations.text());
  app.post("/metrics/token", { schema: { body: object({}) } }, async () => {
    const issued = await operations.issueToken();
    logger.info("metrics token made");
    return issued;
  });
  app.delete("/metrics/token", { schema: { querystring: object({}) } }, async () => {
    const answer = await operations.removeToken();
    logger.info(answer, "metrics token removed");
    return answer;
  });
}
