// Routes of upload sessions: start, have, records, commit, end.

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { BatchAnswer } from "../../ingest/session/admission.ts";
import { type IntakePort, RecordIntake } from "../../ingest/session/recordIntake.ts";
import type { SlabPool } from "../../ingest/session/slabPool.ts";
import { bitmapOf } from "../../ingest/wire/bitmap.ts";
import { figuresHeader, parseFigures } from "../../ingest/wire/figures.ts";
import { idCount } from "../../ingest/wire/idList.ts";
import type { ProgressRequest, SessionAnswer, SessionRequest } from "../../ingest/wire/messages.ts";
import { octetStream, wireLimits } from "../../ingest/wire/protocol.ts";
import { encodeRecordsAnswer } from "../../ingest/wire/recordStatus.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Gateway } from "../gateway.ts";
import { AccountQuotas } from "../quota/accountQuotas.ts";
import { deviceOf, principalOf, runningSessionOf, sessionOf } from "./access.ts";
import { bytesOf } from "./binaryBody.ts";
import { closedSignal } from "./closedSignal.ts";
import { takeBody } from "./recordsBody.ts";
import { binaryAnswer, count, flag, group, longId, nullable, object, shortId, time } from "./schemas.ts";

type SessionParams = { Params: { session: string } };
const sessionParams = object({ session: shortId });
const over = object({ result: { enum: ["stopped", "failed"] }, code: { enum: Object.values(ErrorCode) } });
const progress = object(
  {
    ...{ files: count, bytes: count, totalFiles: count, totalBytes: count },
    ...{ sentBytes: count, warnings: count, over },
  },
  ["over"],
);

/** `records` bodies of one device at a time; more would only wait for the same disk. */
const bodiesPerDevice = 8;

export function sessionRoutes(app: FastifyInstance, gateway: Gateway): void {
  const { backups } = gateway.jobs;
  app.post<{ Body: SessionRequest }>(
    "/v1/sessions",
    {
      schema: {
        body: object({ vault: shortId, item: shortId, highestSequence: count }),
        response: {
          200: object({
            session: shortId,
            resumed: flag,
            group,
            head: nullable(longId),
            sequence: count,
            cacheToken: { type: "string" },
            empty: flag,
          }),
        },
      },
    },
    async (request): Promise<SessionAnswer> => {
      const device = deviceOf(request);
      gateway.homes.requireHere(device.account, device.id);
      if (request.body.vault !== device.vault) throw new HoldfastError(ErrorCode.notFound, "no such vault");
      const vault = await gateway.vault(device.vault);
      const item = vault.catalog.item(request.body.item);
      if (item === undefined || item.device !== device.id)
        throw new HoldfastError(ErrorCode.notFound, "no such item");
      if (item.sequence < request.body.highestSequence) {
        throw new HoldfastError(
          ErrorCode.rollbackDetected,
          `this gateway knows snapshot ${item.sequence} of the item, the agent saw ${request.body.highestSequence}`,
          {
            detail: { sequence: item.sequence },
            next: "Find out whether the gateway was restored from an older copy. If that was meant: `holdfast agent backup --accept-older`.",
          },
        );
      }
      const { session, resumed } = vault.startSession(item);
      const account = gateway.catalog.accounts.get(device.account)?.name ?? device.account;
      backups.started(
        { id: session, vault: vault.id, item: item.id },
        `${account}/${device.name}/${item.name}`,
      );
      gateway.audit.reads.uploads(device.id, true);
      gateway.authenticator.noteSource(device.account, request.from);
      return {
        session,
        resumed,
        group: device.group,
        head: item.head,
        sequence: item.sequence,
        cacheToken: vault.catalog.cacheToken(),
        empty: vault.store.promised.isEmpty(device.group),
      };
    },
  );

  app.post<SessionParams & { Body: Buffer }>(
    "/v1/sessions/:session/have",
    {
      bodyLimit: wireLimits.haveBytes,
      schema: { params: sessionParams, response: binaryAnswer },
      logLevel: "warn",
    },
    async (request, reply) => {
      const { vault, device } = await runningSessionOf(gateway, request, request.params.session);
      const ids = bytesOf(request.body);
      idCount(ids, wireLimits.idsPerHave);
      const bitmap = vault.have(device.group, ids);
      gateway.probes.have(reply.elapsedTime / 1000);
      return reply.type(octetStream).send(bitmap);
    },
  );

  app.post<SessionParams & { Body: Buffer }>(
    "/v1/sessions/:session/whole",
    {
      bodyLimit: wireLimits.haveBytes,
      schema: { params: sessionParams, response: binaryAnswer },
      logLevel: "warn",
    },
    async (request, reply) => {
      const { vault, device } = await runningSessionOf(gateway, request, request.params.session);
      const ids = bytesOf(request.body);
      idCount(ids, wireLimits.idsPerHave);
      return reply.type(octetStream).send(bitmapOf(await vault.waits.whole(device.group, ids)));
    },
  );

  app.post<SessionParams & { Body: Buffer }>(
    "/v1/sessions/:session/commit",
    {
      bodyLimit: wireLimits.commitBytes,
      schema: { params: sessionParams, response: { 201: object({ snapshot: longId, received: time }) } },
    },
    async (request, reply) => {
      const { vault, device, item, state } = await sessionOf(gateway, request, request.params.session);
      // A commit that went through before the move is answered again.
      if (state.ended === undefined) gateway.homes.requireHere(device.account, device.id);
      const said = parseFigures(request.headers[figuresHeader]) ?? null;
      const uploaded = gateway.guard.uploaded(item.id);
      const answer = await vault
        .commit(request.params.session, device, bytesOf(request.body), { said, uploaded })
        .catch((error: unknown) => refused(gateway, request, error));
      if (state.ended === undefined) gateway.guard.tookUploaded(item.id, uploaded);
      backups.committed(request.params.session, {
        incomplete: vault.catalog.snapshot(answer.snapshot)?.incomplete === true,
        warnings: said?.warnings ?? 0,
      });
      gateway.audit.reads.uploads(device.id, false);
      request.log.info({ snapshot: answer.snapshot, device: device.id }, "snapshot committed");
      void reply.status(201);
      return answer;
    },
  );

  app.post<SessionParams & { Body: ProgressRequest }>(
    "/v1/sessions/:session/progress",
    {
      schema: { params: sessionParams, body: progress, response: { 204: { type: "null" } } },
      logLevel: "warn",
    },
    async (request, reply) => {
      const { session } = request.params;
      const { over: ended, ...told } = request.body;
      // Who gives up need not be told to stop.
      await (ended === undefined ? runningSessionOf : sessionOf)(gateway, request, session);
      backups.told(session, told);
      if (ended !== undefined) {
        backups.gaveUp(session, ended);
        gateway.audit.reads.uploads(deviceOf(request).id, false);
      }
      void reply.status(204);
      return null;
    },
  );

  app.delete<SessionParams>(
    "/v1/sessions/:session",
    { schema: { params: sessionParams, response: { 204: { type: "null" } } } },
    async (request, reply) => {
      const { vault, device } = await sessionOf(gateway, request, request.params.session);
      vault.catalog.leases.end(request.params.session);
      backups.ended(request.params.session);
      gateway.audit.reads.uploads(device.id, false);
      void reply.status(204);
      return null;
    },
  );
}

/** Notes why a session was refused something. @throws the error */
function refused(gateway: Gateway, request: FastifyRequest<SessionParams>, error: unknown): never {
  gateway.jobs.backups.refused(request.params.session, error);
  throw error;
}

/** The one route whose body is not read into memory. */
export function recordsRoute(app: FastifyInstance, gateway: Gateway, slabs: SlabPool): void {
  const quotas = new AccountQuotas(gateway);
  const bodies = new Map<string, number>();
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(octetStream, (_request, payload, done) => done(null, payload));
  app.post<SessionParams>(
    "/v1/sessions/:session/records",
    {
      bodyLimit: wireLimits.recordsBytes,
      schema: { params: sessionParams, response: binaryAnswer },
      logLevel: "warn",
    },
    async (request, reply) => {
      const { vault, device, item } = await runningSessionOf(gateway, request, request.params.session);
      const { account } = principalOf(request);
      const length = declaredBody(request, reply);
      const running = bodies.get(device.id) ?? 0;
      if (running >= bodiesPerDevice)
        throw new HoldfastError(ErrorCode.busy, "this device uploads enough at a time");
      bodies.set(device.id, running + 1);
      const { backups } = gateway.jobs;
      const admit = async (records: readonly Buffer[]): Promise<BatchAnswer> => {
        backups.took(request.params.session, records);
        const bytes = records.reduce((sum, record) => sum + record.length, 0);
        const release = await quotas.take(account, bytes);
        try {
          const answer = await vault.upload(device, records);
          gateway.guard.addUploaded(item.id, answer.stored);
          return answer;
        } finally {
          release();
        }
      };
      const port: IntakePort = { slabs, admit };
      const intake = new RecordIntake(port, length, closedSignal(request.raw, reply.raw));
      try {
        await takeBody(request.raw, intake);
        return await reply.type(octetStream).send(encodeRecordsAnswer(await intake.finish()));
      } catch (error) {
        await intake.abandon();
        return refused(gateway, request, error);
      } finally {
        const left = bodies.get(device.id)! - 1;
        if (left === 0) bodies.delete(device.id);
        else bodies.set(device.id, left);
      }
    },
  );
}

/** The Content-Length, if there is one. @throws HoldfastError limit-exceeded; then the connection ends with the answer */
function declaredBody(request: FastifyRequest, reply: FastifyReply): number | undefined {
  const declared = request.headers["content-length"];
  if (declared === undefined) return undefined;
  const length = Number(declared);
  if (length <= wireLimits.recordsBytes) return length;
  // Nobody reads such a body to its end only to throw it away.
  void reply.header("connection", "close");
  throw new HoldfastError(
    ErrorCode.limitExceeded,
    `a body of ${length} bytes is declared, at most ${wireLimits.recordsBytes}`,
  );
}
