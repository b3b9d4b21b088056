// What is noted of operations on daily reports.

import type { ReportOperations } from "../admin/reportOperations.ts";
import type { Rules } from "./audited.ts";

export const reports: Rules<ReportOperations> = {
  list: "reads",
  preview: "reads",
  // It goes where reports go anyway.
  send: "reads",
  set: ([{ account, to, rules }]) => ({
    event: "report.changed",
    subject: { account, to, rules },
  }),
  remove: ([account]) => ({ event: "report.changed", subject: { account, to: null } }),
};
