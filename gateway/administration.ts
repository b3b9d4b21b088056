// What an administrator does to a gateway, in its own process: the admin socket and commands without a running gateway
// both end here. Passwords never come here: the client derives L and R and makes the keys documents.

import { checkName } from "../ingest/wire/names.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import type { KeysDocument } from "../vault/keys/keysTypes.ts";
import { alertOperations } from "./admin/alertOperations.ts";
import { addAppPassword, listAppPasswords, revokeAppPassword } from "./admin/appPasswordOperations.ts";
import { AuditAdministration } from "./admin/auditOperations.ts";
import { changePassword } from "./admin/changePassword.ts";
import { listDevices, revokeDevice } from "./admin/deviceOperations.ts";
import { gatewayStatus } from "./admin/gatewayStatus.ts";
import { GuardAdministration } from "./admin/guardAdministration.ts";
import { HomeAdministration } from "./admin/homeOperations.ts";
import { ImportAdministration } from "./admin/importAdministration.ts";
import { InviteAdministration } from "./admin/inviteOperations.ts";
import { itemOperations } from "./admin/itemAdministration.ts";
import { JobAdministration } from "./admin/jobOperations.ts";
import { KeysAdministration, keysOfVault } from "./admin/keysAdministration.ts";
import { listAccounts } from "./admin/listAccounts.ts";
import { listVaults } from "./admin/listVaults.ts";
import { metricsOperations } from "./admin/metricsOperations.ts";
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
} from "./admin/operations.ts";
import { RemovalAdministration } from "./admin/removalOperations.ts";
import { ReplicaAdministration } from "./admin/replicaAdministration.ts";
import { reportOperations } from "./admin/reportOperations.ts";
import { bytes, checkKdf, parseNewVault, requireNoBox } from "./admin/requestChecks.ts";
import { RetentionAdministration } from "./admin/retentionAdministration.ts";
import { SeedAdministration } from "./admin/seedAdministration.ts";
import { StageAdministration } from "./admin/stageAdministration.ts";
import { TokenAdministration } from "./admin/tokenOperations.ts";
import { TotpAdministration } from "./admin/totpOperations.ts";
import { type AddressLists, AddressRules } from "./auth/addressLists.ts";
import { evictGateway } from "./cache/evictGateway.ts";
import { type Account, type AccountQuota, accountTaken, noAccount, sharedGroup } from "./catalog/accounts.ts";
import type { Gateway } from "./gateway.ts";
import { checkGateway } from "./maintenance/check/checkGateway.ts";
import { drillGateway, drillReports } from "./maintenance/drill.ts";
import { collectGateway } from "./maintenance/gc/collectGateway.ts";
import { scrubGateway } from "./maintenance/scrubGateway.ts";
import { scrubStatus } from "./maintenance/scrubStatus.ts";
import type { GatewayMetrics } from "./metrics/gatewayMetrics.ts";
import { quotaAlert } from "./quota/accountQuotas.ts";
import { createVaultDirectory } from "./vaultDocuments.ts";

export class Administration implements AdminOperations {
  readonly #gateway: Gateway;
  readonly #url: () => string | null;
  readonly alerts: AdminOperations["alerts"];
  readonly guard: GuardAdministration;
  readonly invites: InviteAdministration;
  readonly items: AdminOperations["items"];
  readonly replicas: ReplicaAdministration;
  readonly reports: AdminOperations["reports"];
  readonly homes: HomeAdministration;
  readonly jobs: JobAdministration;
  readonly keys: KeysAdministration;
  readonly metrics: AdminOperations["metrics"];
  readonly retention: RetentionAdministration;
  readonly seed: SeedAdministration;
  readonly imports: ImportAdministration;
  readonly staging: StageAdministration;
  readonly audit: AuditAdministration;
  readonly tokens: TokenAdministration;
  readonly totp: TotpAdministration;
  readonly removals: RemovalAdministration;

  /** `url`: where the gateway listens, or null; `metrics`: of one that runs. */
  constructor(gateway: Gateway, url: () => string | null = () => null, metrics?: GatewayMetrics) {
    this.#gateway = gateway;
    this.#url = url;
    this.alerts = alertOperations(gateway);
    this.guard = new GuardAdministration(gateway);
    this.invites = new InviteAdministration(gateway);
    this.items = itemOperations(gateway);
    this.replicas = new ReplicaAdministration(gateway);
    this.reports = reportOperations(gateway);
    this.homes = new HomeAdministration(gateway);
    this.metrics = metricsOperations(gateway, metrics);
    this.jobs = new JobAdministration(gateway);
    this.keys = new KeysAdministration(gateway);
    this.retention = new RetentionAdministration(gateway);
    this.seed = new SeedAdministration(gateway);
    this.imports = new ImportAdministration(gateway);
    this.staging = new StageAdministration(gateway);
    this.audit = new AuditAdministration(gateway);
    this.tokens = new TokenAdministration(gateway);
    this.removals = new RemovalAdministration(gateway, () => url() !== null);
    this.totp = new TotpAdministration(gateway);
  }

  readonly evict: AdminOperations["evict"] = (request, watch) => evictGateway(this.#gateway, request, watch);
  readonly check: AdminOperations["check"] = (request, watch) => checkGateway(this.#gateway, request, watch);
  readonly drill: AdminOperations["drill"] = (request, watch) => drillGateway(this.#gateway, request, watch);
  readonly drills: AdminOperations["drills"] = () => drillReports(this.#gateway);
  readonly scrubStatus: AdminOperations["scrubStatus"] = (rows) => scrubStatus(this.#gateway, rows);
  readonly gc: AdminOperations["gc"] = (request, watch) => collectGateway(this.#gateway, request, watch);
  readonly stopGc: AdminOperations["stopGc"] = async () => this.#gateway.collecting.stop();
  readonly scrub: AdminOperations["scrub"] = (request, watch) => scrubGateway(this.#gateway, request, watch);

  status(): Promise<GatewayStatus> {
    return gatewayStatus(this.#gateway, this.#url());
  }

  accounts(): Promise<AccountRow[]> {
    return listAccounts(this.#gateway);
  }

  async setQuota(name: string, quota: AccountQuota): Promise<void> {
    this.#requireNoBox();
    const { catalog, alerts } = this.#gateway;
    catalog.accounts.update(this.#account(name).id, (account) => ({ ...account, quota }));
    // Where it still holds, the next upload says so again.
    alerts.resolve(quotaAlert, name);
  }

  /** @throws HoldfastError not-found */
  #account(name: string): Account {
    const account = this.#gateway.catalog.accounts.byName(name);
    if (account === undefined) throw noAccount(name);
    return account;
  }

  /**
   * Accounts, their passwords and vaults are the datacentre's: of what was made at a box its manifest could say nothing there.
   * @throws HoldfastError forbidden at a box
   */
  #requireNoBox(): void {
    requireNoBox(
      this.#gateway.dataDir,
      "where its accounts, passwords and vaults belong",
      "Do that there; a box that is prepared afterwards knows it.",
    );
  }

  async addAccount(request: NewAccount): Promise<{ id: string; vault: string }> {
    this.#requireNoBox();
    const { catalog, authenticator, now } = this.#gateway;
    const name = checkName(request.name, "account");
    if (catalog.accounts.byName(name) !== undefined) throw accountTaken(name);
    checkKdf(request.kdf);
    const recoveryPublic = bytes(request.recoveryPublic, 32, "recovery key");
    const { document, keys, metadataKey } = parseNewVault(request);
    const loginHash = await authenticator.hasher.hash(bytes(request.l, 24, "l"));
    const created = now().toISOString();
    await createVaultDirectory(this.#gateway.vaultDirectory(document.id), document, keys);
    catalog.write(() => {
      catalog.accounts.add({
        id: document.account,
        name,
        kdf: request.kdf,
        loginHash,
        recoveryPublic: recoveryPublic.toString("base64"),
        disabled: false,
        created,
        nextGroup: sharedGroup + 1,
      });
      catalog.vaults.add({
        id: document.id,
        account: document.account,
        name: checkName(document.name, "vault"),
        metadataKey,
        keysGeneration: keys.generation,
        created,
      });
    });
    await this.#gateway.sealing.bring();
    return { id: document.account, vault: document.id };
  }

  async setDisabled(name: string, disabled: boolean): Promise<void> {
    const { catalog, authenticator } = this.#gateway;
    const { id } = this.#account(name);
    catalog.accounts.update(id, (account) => ({ ...account, disabled }));
    if (disabled) authenticator.endLogins(id);
  }

  async setAccess(name: string, access: AddressLists | null): Promise<void> {
    if (access !== null) new AddressRules(access);
    this.#gateway.catalog.accounts.update(this.#account(name).id, ({ access: _before, ...account }) =>
      access === null ? account : { ...account, access },
    );
  }

  async keysDocuments(name: string): Promise<KeysDocument[]> {
    const vaults = await this.#gateway.vaultsOf(this.#account(name).id);
    return vaults.map((vault) => vault.keys);
  }

  async changePassword(name: string, request: NewPassword): Promise<void> {
    this.#requireNoBox();
    await changePassword(this.#gateway, this.#account(name), request);
  }

  async appPasswords(account: string): Promise<AppPasswordAnswer[]> {
    return listAppPasswords(this.#gateway, this.#account(account));
  }

  addAppPassword(
    account: string,
    request: NewAppPassword,
  ): Promise<AppPasswordAnswer & { password: string }> {
    return addAppPassword(this.#gateway, this.#account(account), request);
  }

  async revokeAppPassword(account: string, which: string): Promise<AppPasswordAnswer> {
    return revokeAppPassword(this.#gateway, this.#account(account), which);
  }

  async devices(account?: string): Promise<AdminDeviceRow[]> {
    return listDevices(this.#gateway, account === undefined ? undefined : this.#account(account));
  }

  async revokeDevice(account: string, device: string): Promise<void> {
    await revokeDevice(this.#gateway, this.#account(account), device);
  }

  async vaults(account?: string): Promise<VaultRow[]> {
    return listVaults(this.#gateway, account === undefined ? undefined : this.#account(account).id);
  }

  async createVault(accountName: string, request: NewVault): Promise<{ vault: string }> {
    this.#requireNoBox();
    const { catalog, now } = this.#gateway;
    const account = this.#account(accountName);
    const { document, keys, metadataKey } = parseNewVault(request);
    if (document.account !== account.id)
      throw new HoldfastError(ErrorCode.usage, "the vault is of another account");
    const name = checkName(document.name, "vault");
    if (
      catalog.vaults.byName(account.id, name) !== undefined ||
      catalog.vaults.get(document.id) !== undefined
    ) {
      throw new HoldfastError(ErrorCode.exists, `account ${accountName} has a vault ${name} already`);
    }
    await createVaultDirectory(this.#gateway.vaultDirectory(document.id), document, keys);
    catalog.vaults.add({
      id: document.id,
      account: account.id,
      name,
      metadataKey,
      keysGeneration: keys.generation,
      created: now().toISOString(),
    });
    await this.#gateway.sealing.bring();
    return { vault: document.id };
  }

  async unlock(vault: string, request: UnlockRequest): Promise<void> {
    const row = this.#gateway.catalog.vaults.get(vault);
    if (row === undefined) throw new HoldfastError(ErrorCode.notFound, "no such vault");
    const { epoch } = (await this.#gateway.vault(vault)).keys;
    const keys = keysOfVault(row, request);
    if (keys.currentEpoch !== epoch) {
      keys.wipe();
      throw new HoldfastError(ErrorCode.sequenceConflict, "the vault's keys were rotated meanwhile", {
        next: "Unlock it again.",
      });
    }
    this.#gateway.unlocked.unlock(
      vault,
      keys,
      request.forSeconds === undefined ? undefined : request.forSeconds * 1000,
    );
  }

  async lock(vault: string): Promise<boolean> {
    if (this.#gateway.catalog.vaults.get(vault) === undefined) {
      throw new HoldfastError(ErrorCode.notFound, "no such vault");
    }
    return this.#gateway.unlocked.lock(vault);
  }
}
