// The audit log as an administrator or auditor reads it.

import {
  type AuditPage,
  type AuditQuery,
  listEntries,
  type NotedHead,
  type VerifyAnswer,
  type VerifyProgress,
  verifyLog,
} from "../audit/readLog.ts";
import type { Gateway } from "../gateway.ts";
import { auditHeadAt } from "../replica/gatewayState/replicateGateway.ts";
import type { JobWatch } from "./job.ts";

export type AuditVerifyRequest = {
  /** Heads that somebody noted elsewhere. */
  readonly heads: readonly NotedHead[];
};

export interface AuditOperations {
  /** A page of entries, the oldest first. @throws HoldfastError io-error */
  list(query: AuditQuery): Promise<AuditPage>;
  /** Reads all of the log, and compares it with heads in replicas and those given. @throws HoldfastError io-error, cancelled */
  verify(request: AuditVerifyRequest, watch: JobWatch<VerifyProgress>): Promise<VerifyAnswer>;
}

export class AuditAdministration implements AuditOperations {
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  async list(query: AuditQuery): Promise<AuditPage> {
    const { audit } = this.#gateway;
    await audit.flush();
    return await listEntries(audit.folder, audit.seal, query);
  }

  async verify({ heads }: AuditVerifyRequest, watch: JobWatch<VerifyProgress>): Promise<VerifyAnswer> {
    const { audit, catalog } = this.#gateway;
    await audit.flush();
    const upTo = audit.head;
    const own = upTo === undefined ? [] : [{ ...upTo, by: "the running gateway" }];
    const replicas = catalog.replicas.list().flatMap(({ id, name }) => {
      const head = auditHeadAt(this.#gateway, id);
      return head === null ? [] : [{ ...head, by: `replica ${name}` }];
    });
    return await verifyLog(audit.folder, audit.seal, {
      upTo,
      heads: [...own, ...replicas, ...heads],
      ...watch,
    });
  }
}
