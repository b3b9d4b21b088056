// Daily reports over the admin socket.

import type { FastifyInstance } from "fastify";
import type { JobWatch } from "../admin/job.ts";
import { type ReportOperations, type ReportRequest, reportLimits } from "../admin/reportOperations.ts";
import type { Gateway } from "../gateway.ts";
import { jobRoute } from "./jobRoute.ts";
import { array, flag, object } from "./schemas.ts";

const text = { type: "string", minLength: 1, maxLength: 320 } as const;
const params = object({ account: text });
type ByAccount = { Params: { account: string } };

export function reportRoutes(app: FastifyInstance, gateway: Gateway, operations: ReportOperations): void {
  app.get("/reports", { schema: { querystring: object({}) } }, async () => await operations.list());
  const { addresses, rules } = reportLimits;
  const settings = object({
    to: { ...array(text), maxItems: addresses },
    rules: { ...array(text), maxItems: rules },
    ...{ timeZone: text, textOnly: flag },
  });
  app.put<ByAccount & { Body: Omit<ReportRequest, "account"> }>(
    "/accounts/:account/report",
    { schema: { params, body: settings } },
    async (request) => await operations.set({ ...request.body, account: request.params.account }),
  );
  app.delete<ByAccount>("/accounts/:account/report", { schema: { params } }, async (request) => {
    await operations.remove(request.params.account);
    return {};
  });
  app.get<ByAccount>(
    "/accounts/:account/report",
    { schema: { params } },
    async (request) => await operations.preview(request.params.account),
  );
  jobRoute(
    app,
    gateway,
    "/reports/send",
    object({ account: text }),
    ({ account }: { account: string }, watch: JobWatch<never>) => operations.send(account, watch),
  );
}
