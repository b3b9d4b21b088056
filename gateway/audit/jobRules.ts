// What is noted of operations on jobs.

import type { JobOperations } from "../admin/jobOperations.ts";
import type { Rules } from "./audited.ts";

export const jobs: Rules<JobOperations> = {
  list: "reads",
  get: "reads",
  log: "reads",
  cancel: ([id], answer) => {
    if (answer?.asked === false) return undefined;
    const { kind = null, subject: of = null } = answer?.job ?? {};
    return { event: "job.cancelled", subject: { id, kind, of } };
  },
};
