// Routes of the admin socket for long work (admin/job.ts says what goes over the wire).

import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { type JobWatch, stopPath } from "../admin/job.ts";
import type { Gateway } from "../gateway.ts";
import { closedSignal } from "./closedSignal.ts";
import { asHoldfastError, errorBody } from "./errorAnswer.ts";
import { object } from "./schemas.ts";

/** Progress goes out at most this often: who watches over a slow pipe must not fill our memory. */
const progressMs = 200;

/** Jobs that run, and how each is asked to stop. */
const running = new Map<string, AbortController>();

/** A route that starts a job with its body and streams what becomes of it. A client that goes away stops it. */
export function jobRoute<Body, Progress>(
  app: FastifyInstance,
  gateway: Pick<Gateway, "attend">,
  path: string,
  body: object,
  start: (body: Body, watch: JobWatch<Progress>) => Promise<object>,
): void {
  app.post<{ Body: Body }>(path, { schema: { body } }, async (request, reply) => {
    const closed = closedSignal(request.raw, reply.raw);
    const asked = new AbortController();
    const signal = AbortSignal.any([closed, asked.signal]);
    const job = randomUUID();
    running.set(job, asked);
    const lines = new Readable({ read() {} });
    const line = (value: object): void => {
      if (!closed.aborted) lines.push(`${JSON.stringify(value)}\n`);
    };
    line({ job });
    let toldMs = Number.NEGATIVE_INFINITY;
    const onProgress = (progress: Progress): void => {
      const now = performance.now();
      if (now - toldMs < progressMs) return;
      toldMs = now;
      line({ progress });
    };
    const work = start(request.body as Body, { onProgress, signal });
    gateway.attend(work);
    work
      .then((result) => line({ result }))
      .catch((thrown: unknown) => {
        const error = asHoldfastError(thrown);
        const stopped = signal.aborted && !isHoldfastError(thrown);
        if (error.code === ErrorCode.internal && !stopped) request.log.error({ err: thrown }, "job failed");
        line(errorBody(stopped ? new HoldfastError(ErrorCode.cancelled, "stopped") : error));
      })
      .finally(() => {
        running.delete(job);
        lines.push(null);
      });
    return reply.type("application/x-ndjson").send(lines);
  });
}

/** The route that asks a job to stop; one that has ended already is left alone. */
export function stopRoute(app: FastifyInstance): void {
  const job = { type: "string", maxLength: 36 } as const;
  app.post<{ Body: { job: string } }>(stopPath, { schema: { body: object({ job }) } }, async (request) => {
    const reason = new HoldfastError(ErrorCode.cancelled, "stopped", { next: "Run again to continue." });
    running.get(request.body.job)?.abort(reason);
    return {};
  });
}
