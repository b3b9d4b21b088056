// What a request may touch. Everything is looked up below the principal's account, so what belongs to others does not
// exist (docs/protocol.md, Conventions).

import type { FastifyRequest } from "fastify";
import { behindProtocol, protocolHeader, protocolVersions } from "../../ingest/wire/protocol.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { AuditActor } from "../audit/events.ts";
import type { Principal } from "../auth/authenticator.ts";
import type { Device } from "../catalog/devices.ts";
import type { SessionState } from "../catalog/leaseRows.ts";
import type { Item } from "../catalog/vaultCatalog.ts";
import type { Gateway } from "../gateway.ts";
import type { OpenVault } from "../openVault.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Set by `authenticate` before any handler below it runs. */
    principal: Principal | undefined;
  }
}

/** Refuses a protocol version that this program does not serve. @throws HoldfastError unsupported */
export function checkProtocol(request: FastifyRequest): void {
  const asked = request.headers[protocolHeader];
  if (asked === undefined || protocolVersions.map(String).includes(String(asked))) return;
  const isOld = behindProtocol(protocolVersions, [Number(asked) || 0]) === "theirs";
  throw new HoldfastError(
    ErrorCode.unsupported,
    `protocol version ${String(asked).slice(0, 20)} is not served here; this gateway speaks ${protocolVersions.join(", ")}`,
    {
      next: isOld ? "Upgrade the agent, or whatever asks." : "Upgrade the gateway.",
      detail: { protocols: protocolVersions.map(String) },
    },
  );
}

/** The token that a request shows. @throws HoldfastError token-invalid */
export function bearerToken(request: FastifyRequest): string {
  const match = /^Bearer ([A-Za-z0-9_-]{1,200})$/i.exec(request.headers.authorization ?? "");
  if (match?.[1] !== undefined) return match[1];
  throw new HoldfastError(ErrorCode.tokenInvalid, "this needs a token", {
    next: "Log in, or enrol this device.",
  });
}

/** Finds out who asks. @throws HoldfastError token-invalid, account-disabled, forbidden */
export function authenticate(gateway: Gateway, request: FastifyRequest): void {
  request.principal = gateway.authenticator.authenticate(bearerToken(request), request.from);
}

/** The actor that the audit log names, and where the request comes from. */
export function actorOf(request: FastifyRequest): { actor: AuditActor; address: string } {
  const principal = principalOf(request);
  const account = principal.account.name;
  if (principal.kind === "login") {
    return { actor: { kind: "account", account, id: principal.account.id }, address: request.from };
  }
  const { id, name } = principal.device;
  return { actor: { kind: "device", account, device: name, id }, address: request.from };
}

/** Who asks. */
export function principalOf(request: FastifyRequest): Principal {
  if (request.principal === undefined) throw new Error("a handler ran without authentication");
  return request.principal;
}

/** The device that asks. @throws HoldfastError forbidden for a person's token */
export function deviceOf(request: FastifyRequest): Device {
  const principal = principalOf(request);
  if (principal.kind === "device") return principal.device;
  throw new HoldfastError(ErrorCode.forbidden, "this needs the token of a device");
}

/** The device that asks, where it is append-only. */
export function appenderOf(request: FastifyRequest): Device | undefined {
  const principal = principalOf(request);
  return principal.kind === "device" && principal.device.appendOnly === true ? principal.device : undefined;
}

/** @throws HoldfastError forbidden for a device's token */
export function requireLogin(request: FastifyRequest): void {
  if (principalOf(request).kind === "login") return;
  throw new HoldfastError(ErrorCode.forbidden, "this needs a login with the account's password");
}

/** A vault of the account that asks. @throws HoldfastError not-found */
export async function vaultOf(gateway: Gateway, request: FastifyRequest, id: string): Promise<OpenVault> {
  const row = gateway.catalog.vaults.get(id);
  const appender = appenderOf(request);
  const isOther = appender !== undefined && appender.vault !== id;
  if (row === undefined || row.account !== principalOf(request).account.id || isOther) {
    throw new HoldfastError(ErrorCode.notFound, "no such vault");
  }
  return await gateway.vault(id);
}

export type RunningSession = {
  readonly vault: OpenVault;
  readonly device: Device;
  readonly item: Item;
  readonly state: SessionState;
};

/** A session of the device that asks, running or ended. @throws HoldfastError not-found, forbidden */
export async function sessionOf(
  gateway: Gateway,
  request: FastifyRequest,
  id: string,
): Promise<RunningSession> {
  const device = deviceOf(request);
  const vault = await gateway.vault(device.vault);
  const state = vault.catalog.leases.session(id);
  if (state === undefined || state.item.device !== device.id) {
    throw new HoldfastError(ErrorCode.notFound, "no such upload session");
  }
  return { vault, device, item: state.item, state };
}

/** As `sessionOf`, for one that runs. @throws HoldfastError session-ended, backup-cancelled and not-home too */
export async function runningSessionOf(
  gateway: Gateway,
  request: FastifyRequest,
  id: string,
): Promise<RunningSession> {
  const session = await sessionOf(gateway, request, id);
  gateway.homes.requireHere(session.device.account, session.device.id);
  if (session.state.ended !== undefined) {
    throw new HoldfastError(
      ErrorCode.sessionEnded,
      "the upload session has ended: another run took over, or it was committed",
      {
        next: "Run the backup again: what was uploaded counts.",
      },
    );
  }
  gateway.jobs.backups.seen(id, session.item.id);
  session.vault.store.pins.used(session.item.id);
  return session;
}
