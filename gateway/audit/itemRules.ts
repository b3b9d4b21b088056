// What is noted of changes of item definitions.

import { createHash } from "node:crypto";
import type { ItemDefinition } from "../../ingest/schedule/itemDefinition.ts";
import type { ItemOperations } from "../admin/itemOperations.ts";
import type { Rules } from "./audited.ts";
import type { AuditSubject } from "./events.ts";

/** What an audit line has room for of it; the hash says whether two are the same. Of a request that was refused it may be anything. */
function definitionSubject(definition: Partial<ItemDefinition>): AuditSubject {
  const { enabled, paths, excludes, rules } = definition;
  const hash = createHash("sha256").update(JSON.stringify(definition)).digest("hex");
  const texts = (value: unknown): string[] =>
    Array.isArray(value) ? value.filter((each): each is string => typeof each === "string") : [];
  return {
    enabled: enabled === true,
    paths: texts(paths),
    excludes: texts(excludes),
    rules: texts(rules),
    sha256: hash,
  };
}

export const items: Rules<ItemOperations> = {
  list: "reads",
  setFleet: ([account, device, fleet]) => ({
    event: "device.fleet-set",
    subject: { account, device, fleet },
  }),
  set: ([{ account, device, item, revision, definition }], answer) => ({
    event: "item.changed",
    subject: {
      ...{ account, device, item },
      revision: answer?.revision ?? revision,
      removed: definition === null,
      ...(definition !== null && definitionSubject(definition)),
    },
  }),
};
