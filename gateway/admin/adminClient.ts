// Speaks to a running gateway over the admin socket in its data directory.

import type { IncomingMessage } from "node:http";
import { errorOf } from "../../ingest/client/exchange.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { KeysDocument } from "../../vault/keys/keysTypes.ts";
import type { AddressLists } from "../auth/addressLists.ts";
import type { AccountQuota } from "../catalog/accounts.ts";
import type { CheckProgress } from "../maintenance/check/checkTypes.ts";
import type { GcProgress } from "../maintenance/gc/collection.ts";
import type { ScrubProgress } from "../maintenance/scrub.ts";
import type { ScrubStatus } from "../maintenance/scrubStatus.ts";
import type { DrillProgress } from "../maintenance/vaultContent.ts";
import { adminSocketPath, requestSocket } from "./adminSocket.ts";
import { alertClient } from "./alertClient.ts";
import type { AlertOperations } from "./alertOperations.ts";
import type { AuditOperations } from "./auditOperations.ts";
import type { DriveOperations, DriveRequest, DriveRow } from "./drives.ts";
import type { EvictProgress, EvictRequest, EvictResult } from "./evictOperations.ts";
import type { GcRequest, GcResult } from "./gcOperations.ts";
import { guardClient } from "./guardOperations.ts";
import { homeClient } from "./homeClient.ts";
import type { HomeOperations } from "./homeOperations.ts";
import { importClient } from "./importClient.ts";
import type { ImportOperations } from "./importOperations.ts";
import { inviteClient } from "./inviteClient.ts";
import { itemClient } from "./itemOperations.ts";
import { followJob, type JobWatch } from "./job.ts";
import { jobClient } from "./jobClient.ts";
import type { JobOperations } from "./jobOperations.ts";
import { type KeysOperations, keysClient } from "./keysOperations.ts";
import { metricsClient } from "./metricsClient.ts";
import type {
  AccountRow,
  AdminDeviceRow,
  AdminOperations,
  AppPasswordAnswer,
  GatewayStatus,
  NewAccount,
  NewAppPassword,
  NewPassword,
  NewVault,
  UnlockRequest,
  VaultRow,
} from "./operations.ts";
import { type Ask, PeerClient } from "./peerClient.ts";
import type { PeerOperations } from "./peerOperations.ts";
import type { RemovalOperations } from "./removalOperations.ts";
import { replicaClient } from "./replicaClient.ts";
import type { ReplicaOperations } from "./replicaOperations.ts";
import { reportClient } from "./reportClient.ts";
import type { ReportOperations } from "./reportOperations.ts";
import { retentionClient } from "./retentionClient.ts";
import type { RetentionOperations } from "./retentionOperations.ts";
import type { ScrubRequest, ScrubResult } from "./scrubOperations.ts";
import { seedClient } from "./seedClient.ts";
import type { SeedOperations } from "./seedOperations.ts";
import type { StageOperations } from "./stageOperations.ts";
import type { TokenOperations } from "./tokenOperations.ts";
import type { TotpOperations } from "./totpOperations.ts";
import type { CheckRequest, CheckResult, DrillRequest, DrillResult } from "./upkeepOperations.ts";

const answerBytesMax = 64 * 2 ** 20;

export class AdminClient implements AdminOperations, DriveOperations {
  readonly #asking: Ask = (method, path, json) => this.#ask(method, path, json);
  readonly peers: PeerOperations = new PeerClient(this.#asking);
  readonly #socketPath: string;
  readonly replicas: ReplicaOperations;
  readonly imports: ImportOperations;
  readonly staging: StageOperations = {
    stage: (request, watch) => followJob(this.#socketPath, "/seed/stage", request, watch),
  };
  readonly alerts: AlertOperations;
  readonly audit: AuditOperations = {
    list: (query) => this.#ask("POST", "/audit/list", query),
    verify: (request, watch) => followJob(this.#socketPath, "/audit/verify", request, watch),
  };
  readonly removals: RemovalOperations = {
    plan: (account) => this.#ask("GET", `/accounts/${encodeURIComponent(account)}/removal`),
    remove: (account) => this.#ask("DELETE", `/accounts/${encodeURIComponent(account)}`),
    list: () => this.#ask("GET", "/removals"),
  };
  readonly totp: TotpOperations = {
    status: (account) => this.#ask("GET", totpPath(account)),
    begin: (account) => this.#ask("POST", totpPath(account), {}),
    confirm: async (account, code) => void (await this.#ask("PUT", totpPath(account), { code })),
    disable: (account) => this.#ask("DELETE", totpPath(account)),
  };
  readonly tokens: TokenOperations = {
    create: (request) => this.#ask("POST", "/tokens", request),
    list: () => this.#ask("GET", "/tokens"),
    revoke: (which) => this.#ask("DELETE", `/tokens/${encodeURIComponent(which)}`),
  };
  readonly guard = guardClient(this.#asking);
  readonly invites = inviteClient(this.#asking);
  readonly items = itemClient(this.#asking);
  readonly homes: HomeOperations = homeClient(this.#asking);
  readonly jobs: JobOperations = jobClient(this.#asking);
  readonly keys: KeysOperations = keysClient(this.#asking);
  readonly metrics = metricsClient(this.#asking);
  readonly retention: RetentionOperations = retentionClient(this.#asking);
  readonly reports: ReportOperations;
  readonly seed: SeedOperations;

  constructor(dataDir: string) {
    this.#socketPath = adminSocketPath(dataDir);
    this.alerts = alertClient(this.#socketPath, this.#asking);
    this.imports = importClient(this.#socketPath);
    this.seed = seedClient(this.#socketPath, this.#asking);
    this.replicas = replicaClient(this.#socketPath, this.#asking);
    this.reports = reportClient(this.#socketPath, this.#asking);
  }

  /** Whether a gateway answers at the socket. */
  async isRunning(): Promise<boolean> {
    try {
      await this.#ask("GET", "/alive");
      return true;
    } catch (error) {
      if (error instanceof HoldfastError && error.code === ErrorCode.gatewayUnreachable) return false;
      throw error;
    }
  }

  async #ask<T>(method: string, path: string, json?: unknown): Promise<T> {
    const body = json === undefined ? undefined : Buffer.from(JSON.stringify(json));
    const { status, bytes } = await new Promise<{ status: number; bytes: Buffer }>((resolve, reject) => {
      const request = requestSocket(this.#socketPath, {
        method,
        path,
        headers:
          body === undefined ? {} : { "content-type": "application/json", "content-length": body.length },
      });
      request.once("error", reject);
      request.once("response", (response) => {
        readAnswer(response).then((bytes) => resolve({ status: response.statusCode ?? 0, bytes }), reject);
      });
      request.end(body);
    }).catch((error: unknown) => {
      if (error instanceof HoldfastError) throw error;
      throw new HoldfastError(ErrorCode.gatewayUnreachable, `no gateway answers at ${this.#socketPath}`, {
        next: "Start it with `holdfast gateway run --data DIR`.",
        cause: error,
      });
    });
    if (status >= 400) throw errorOf(status, bytes);
    return (bytes.length === 0 ? undefined : JSON.parse(bytes.toString("utf8"))) as T;
  }

  status(): Promise<GatewayStatus> {
    return this.#ask("GET", "/status");
  }

  accounts(): Promise<AccountRow[]> {
    return this.#ask("GET", "/accounts");
  }

  addAccount(request: NewAccount): Promise<{ id: string; vault: string }> {
    return this.#ask("POST", "/accounts", request);
  }

  async setDisabled(account: string, disabled: boolean): Promise<void> {
    await this.#ask("PUT", `/accounts/${encodeURIComponent(account)}/disabled`, { disabled });
  }

  async setQuota(account: string, quota: AccountQuota): Promise<void> {
    await this.#ask("PUT", `/accounts/${encodeURIComponent(account)}/quota`, quota);
  }

  keysDocuments(account: string): Promise<KeysDocument[]> {
    return this.#ask("GET", `/accounts/${encodeURIComponent(account)}/keys`);
  }

  async changePassword(account: string, request: NewPassword): Promise<void> {
    await this.#ask("PUT", `/accounts/${encodeURIComponent(account)}/password`, request);
  }

  appPasswords(account: string): Promise<AppPasswordAnswer[]> {
    return this.#ask("GET", `/accounts/${encodeURIComponent(account)}/app-passwords`);
  }

  addAppPassword(
    account: string,
    request: NewAppPassword,
  ): Promise<AppPasswordAnswer & { password: string }> {
    return this.#ask("POST", `/accounts/${encodeURIComponent(account)}/app-passwords`, request);
  }

  revokeAppPassword(account: string, which: string): Promise<AppPasswordAnswer> {
    return this.#ask(
      "DELETE",
      `/accounts/${encodeURIComponent(account)}/app-passwords/${encodeURIComponent(which)}`,
    );
  }

  devices(account?: string): Promise<AdminDeviceRow[]> {
    return this.#ask("GET", `/devices${query(account)}`);
  }

  async revokeDevice(account: string, device: string): Promise<void> {
    await this.#ask(
      "DELETE",
      `/accounts/${encodeURIComponent(account)}/devices/${encodeURIComponent(device)}`,
    );
  }

  vaults(account?: string): Promise<VaultRow[]> {
    return this.#ask("GET", `/vaults${query(account)}`);
  }

  createVault(account: string, request: NewVault): Promise<{ vault: string }> {
    return this.#ask("POST", `/accounts/${encodeURIComponent(account)}/vaults`, request);
  }

  async setAccess(account: string, access: AddressLists | null): Promise<void> {
    await this.#ask("PUT", `/accounts/${encodeURIComponent(account)}/access`, { access });
  }

  async unlock(vault: string, request: UnlockRequest): Promise<void> {
    await this.#ask("PUT", `/vaults/${vault}/unlocked`, request);
  }

  evict(request: EvictRequest, watch: JobWatch<EvictProgress>): Promise<EvictResult> {
    return followJob(this.#socketPath, "/evict", request, watch);
  }

  check(request: CheckRequest, watch: JobWatch<CheckProgress>): Promise<CheckResult> {
    return followJob(this.#socketPath, "/check", request, watch);
  }

  scrub(request: ScrubRequest, watch: JobWatch<ScrubProgress>): Promise<ScrubResult> {
    return followJob(this.#socketPath, "/scrub", request, watch);
  }

  drill(request: DrillRequest, watch: JobWatch<DrillProgress>): Promise<DrillResult> {
    return followJob(this.#socketPath, "/drill", request, watch);
  }

  drills(): ReturnType<AdminOperations["drills"]> {
    return this.#ask("GET", "/drills");
  }

  scrubStatus(rows: number): Promise<ScrubStatus> {
    return this.#ask("GET", `/scrub?rows=${rows}`);
  }

  gc(request: GcRequest, watch: JobWatch<GcProgress>): Promise<GcResult> {
    return followJob(this.#socketPath, "/gc", request, watch);
  }

  async stopGc(): Promise<boolean> {
    return (await this.#ask<{ ran: boolean }>("POST", "/gc/stop", {})).ran;
  }

  drives(): Promise<DriveRow[]> {
    return this.#ask("GET", "/drives");
  }

  mount(request: DriveRequest): Promise<DriveRow> {
    return this.#ask("POST", "/drives", request);
  }

  async lock(vault: string): Promise<boolean> {
    const answer = await this.#ask<{ wasUnlocked: boolean }>("DELETE", `/vaults/${vault}/unlocked`);
    return answer.wasUnlocked;
  }
}

function totpPath(account: string): string {
  return `/accounts/${encodeURIComponent(account)}/totp`;
}

function query(account: string | undefined): string {
  return account === undefined ? "" : `?account=${encodeURIComponent(account)}`;
}

async function readAnswer(response: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > answerBytesMax)
      throw new HoldfastError(ErrorCode.protocol, "the answer on the admin socket is too long");
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
