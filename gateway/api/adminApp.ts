// The admin socket: AdminOperations as HTTP over a unix socket that only the gateway's own user can open.

import { chmod, rm } from "node:fs/promises";
import fastify, { type FastifyInstance } from "fastify";
import { adminSocketPath, socketAddress, socketRefusal } from "../admin/adminSocket.ts";
import type { DriveOperations, DriveRequest } from "../admin/drives.ts";
import type {
  AdminOperations,
  NewAccount,
  NewPassword,
  NewVault,
  UnlockRequest,
} from "../admin/operations.ts";
import { PeerAdministration } from "../admin/peerOperations.ts";
import { auditedAdministration, auditedDrives, auditedPeers } from "../audit/adminRules.ts";
import { byAdministrator } from "../audit/audited.ts";
import { type AddressLists, addressesMax } from "../auth/addressLists.ts";
import type { AccountQuota } from "../catalog/accounts.ts";
import type { Gateway } from "../gateway.ts";
import { accountsAnswer, aliveAnswer, drivesAnswer } from "./adminAnswers.ts";
import { alertRoutes } from "./alertRoutes.ts";
import { appPasswordRoutes } from "./appPasswordRoutes.ts";
import { auditRoutes } from "./auditRoutes.ts";
import { answerErrors, refuseUnparsed } from "./errorAnswer.ts";
import { evictRoute } from "./evictRoute.ts";
import { gcRoutes } from "./gcRoutes.ts";
import { guardRoutes } from "./guardRoutes.ts";
import { homeRoutes } from "./homeRoutes.ts";
import { importRoutes } from "./importRoutes.ts";
import { inviteAdminRoutes } from "./inviteAdminRoutes.ts";
import { itemAdminRoutes } from "./itemAdminRoutes.ts";
import { jobHistoryRoutes } from "./jobHistoryRoutes.ts";
import { stopRoute } from "./jobRoute.ts";
import { keysRoutes } from "./keysRoutes.ts";
import { lazyCompilers, provenSchemas } from "./lazySchemas.ts";
import { metricsAdminRoutes } from "./metricsAdminRoutes.ts";
import { peerAdminRoutes } from "./peerAdminRoutes.ts";
import { removalRoutes } from "./removalRoutes.ts";
import { replicaRoutes } from "./replicaRoutes.ts";
import { reportRoutes } from "./reportRoutes.ts";
import { retentionRoutes } from "./retentionRoutes.ts";
import { array, base64, count, document, flag, nullable, object, secrets, shortId } from "./schemas.ts";
import { scrubRoutes } from "./scrubRoutes.ts";
import { seedAdminRoutes } from "./seedAdminRoutes.ts";
import { stageRoutes } from "./stageRoutes.ts";
import { stateRoutes } from "./stateRoutes.ts";
import { tokenRoutes } from "./tokenRoutes.ts";
import { totpRoutes } from "./totpRoutes.ts";

const text = { type: "string", minLength: 1, maxLength: 200 } as const;
const kdf = object({ suite: { const: 1 }, iterations: count, salt: base64(32) });
const newVault = { vaultDocument: document, keysDocument: document, metadataKey: base64(32) };
const accountParams = object({ account: text });
const vaultParams = object({ vault: shortId });
const nothing = object({});

type ByAccount = { Params: { account: string } };
type ByVault = { Params: { vault: string } };

/** Documents with wraps for thousands of devices are a few MiB. */
const bodyLimit = 16 * 2 ** 20;

const userNumber = { type: "integer", minimum: 0, maximum: 0xffff_fffe } as const;

/** Builds the app without listening. `drives`: where this program can mount. */
export function buildAdminApp(
  gateway: Gateway,
  given: AdminOperations,
  givenDrives?: DriveOperations,
): FastifyInstance {
  const by = byAdministrator(gateway.audit);
  const operations = auditedAdministration(given, by);
  const drives = givenDrives && auditedDrives(givenDrives, by);
  const app = fastify({
    // Bodies hold L and, for unlock, secrets: nothing of a request is logged.
    logger: false,
    bodyLimit,
    forceCloseConnections: true,
    clientErrorHandler: refuseUnparsed,
    ajv: { customOptions: { removeAdditional: false, ...provenSchemas } },
    schemaController: { compilersFactory: lazyCompilers() },
  });
  answerErrors(app, (error) => error);

  app.get("/alive", { schema: { querystring: nothing, response: aliveAnswer } }, async () => ({ ok: true }));
  stateRoutes(app, operations, accountsAnswer);
  app.post<{ Body: NewAccount }>(
    "/accounts",
    { schema: { body: object({ name: text, kdf, l: base64(24), recoveryPublic: base64(32), ...newVault }) } },
    async (request, reply) => {
      const answer = await operations.addAccount(request.body);
      gateway.logger.info({ account: request.body.name }, "account added");
      void reply.status(201);
      return answer;
    },
  );
  app.put<ByAccount & { Body: { disabled: boolean } }>(
    "/accounts/:account/disabled",
    { schema: { params: accountParams, body: object({ disabled: flag }) } },
    async (request) => {
      await operations.setDisabled(request.params.account, request.body.disabled);
      gateway.logger.info(
        { account: request.params.account, disabled: request.body.disabled },
        "account changed",
      );
      return {};
    },
  );
  const addresses = { ...array(text), maxItems: addressesMax };
  app.put<ByAccount & { Body: { access: AddressLists | null } }>(
    "/accounts/:account/access",
    {
      schema: {
        params: accountParams,
        body: object({ access: nullable(object({ allow: addresses, deny: addresses })) }),
      },
    },
    async (request) => {
      await operations.setAccess(request.params.account, request.body.access);
      gateway.logger.info({ account: request.params.account, access: request.body.access }, "access changed");
      return {};
    },
  );
  app.put<ByAccount & { Body: AccountQuota }>(
    "/accounts/:account/quota",
    { schema: { params: accountParams, body: object({ bytes: nullable(count), devices: nullable(count) }) } },
    async (request) => {
      await operations.setQuota(request.params.account, request.body);
      gateway.logger.info({ account: request.params.account, ...request.body }, "quota set");
      return {};
    },
  );
  app.get<ByAccount>(
    "/accounts/:account/keys",
    { schema: { params: accountParams } },
    async (request) => await operations.keysDocuments(request.params.account),
  );
  app.put<ByAccount & { Body: NewPassword }>(
    "/accounts/:account/password",
    {
      schema: {
        params: accountParams,
        body: object(
          {
            kdf,
            l: base64(24),
            keysDocuments: array(document),
            by: { enum: ["password", "recovery", "escrow"] },
            code: text,
          },
          ["by", "code"],
        ),
      },
    },
    async (request) => {
      await operations.changePassword(request.params.account, request.body);
      gateway.logger.info({ account: request.params.account }, "password changed");
      return {};
    },
  );
  appPasswordRoutes(app, gateway, operations);
  inviteAdminRoutes(app, gateway, operations.invites);
  peerAdminRoutes(app, gateway, auditedPeers(new PeerAdministration(gateway), by));
  app.delete<{ Params: { account: string; device: string } }>(
    "/accounts/:account/devices/:device",
    { schema: { params: object({ account: text, device: text }) } },
    async (request) => {
      await operations.revokeDevice(request.params.account, request.params.device);
      gateway.logger.info(request.params, "device revoked");
      return {};
    },
  );
  app.post<ByAccount & { Body: NewVault }>(
    "/accounts/:account/vaults",
    { schema: { params: accountParams, body: object(newVault) } },
    async (request, reply) => {
      const answer = await operations.createVault(request.params.account, request.body);
      gateway.logger.info({ account: request.params.account, ...answer }, "vault created");
      void reply.status(201);
      return answer;
    },
  );
  app.put<ByVault & { Body: UnlockRequest }>(
    "/vaults/:vault/unlocked",
    {
      schema: {
        params: vaultParams,
        body: object(
          {
            ...secrets,
            forSeconds: { type: "integer", minimum: 1, maximum: 10 * 366 * 86_400 },
            by: { enum: ["password", "escrow"] },
          },
          ["forSeconds", "by"],
        ),
      },
    },
    async (request) => {
      await operations.unlock(request.params.vault, request.body);
      gateway.logger.info(
        { vault: request.params.vault, forSeconds: request.body.forSeconds },
        "vault unlocked",
      );
      return {};
    },
  );
  app.delete<ByVault>("/vaults/:vault/unlocked", { schema: { params: vaultParams } }, async (request) => {
    const wasUnlocked = await operations.lock(request.params.vault);
    gateway.logger.info({ vault: request.params.vault }, "vault locked");
    return { wasUnlocked };
  });
  alertRoutes(app, gateway, operations.alerts);
  evictRoute(app, gateway, operations);
  replicaRoutes(app, gateway, operations.replicas);
  homeRoutes(app, gateway, operations.homes);
  guardRoutes(app, gateway, operations.guard);
  itemAdminRoutes(app, gateway, operations.items);
  reportRoutes(app, gateway, operations.reports);
  retentionRoutes(app, gateway, operations.retention);
  scrubRoutes(app, gateway, operations);
  gcRoutes(app, gateway, operations);
  stopRoute(app);
  keysRoutes(app, gateway, operations.keys);
  jobHistoryRoutes(app, operations.jobs);
  metricsAdminRoutes(app, gateway, operations.metrics);
  seedAdminRoutes(app, gateway, operations.seed);
  importRoutes(app, gateway, operations.imports);
  stageRoutes(app, gateway, operations.staging);
  auditRoutes(app, gateway, operations.audit);
  tokenRoutes(app, gateway, operations.tokens);
  removalRoutes(app, operations.removals);
  totpRoutes(app, gateway, operations.totp);
  if (drives !== undefined) driveRoutes(app, gateway, drives);
  return app;
}

function driveRoutes(app: FastifyInstance, gateway: Gateway, drives: DriveOperations): void {
  app.get(
    "/drives",
    { schema: { querystring: nothing, response: drivesAnswer } },
    async () => await drives.drives(),
  );
  app.post<{ Body: DriveRequest }>(
    "/drives",
    {
      schema: {
        body: object(
          {
            mountpoint: { type: "string", pattern: "^/", maxLength: 4096 },
            driver: { enum: ["kernel", "fuse-native"] },
            allowOther: flag,
            asUser: object({ uid: userNumber, gid: userNumber }),
          },
          ["asUser"],
        ),
      },
    },
    async (request, reply) => {
      const row = await drives.mount(request.body);
      gateway.logger.info(row, "drive mounted");
      void reply.status(201);
      return row;
    },
  );
}

/** What listens until it is closed. */
export type Listener = { readonly close: () => Promise<void> };

/**
 * Listens on the admin socket. The caller holds the data directory's lock, so a socket that is there is a dead one.
 * @throws HoldfastError unsupported where the file system has no sockets; disk-full, io-error
 */
export async function listenAdmin(
  gateway: Gateway,
  operations: AdminOperations,
  drives?: DriveOperations,
): Promise<Listener> {
  const path = adminSocketPath(gateway.dataDir.path);
  await rm(path, { force: true });
  const app = buildAdminApp(gateway, operations, drives);
  // The data directory is closed to others already (mode 0700); the socket's own mode is the second lock.
  const { address, release } = socketAddress(path);
  const close = async (): Promise<void> => {
    // It unlinks its file by the address.
    await app.close();
    release();
  };
  try {
    await app.listen({ path: address });
    await chmod(path, 0o600);
  } catch (error) {
    await close();
    throw socketRefusal(error, path);
  }
  return { close };
}
