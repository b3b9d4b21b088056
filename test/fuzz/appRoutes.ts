// The routes that an app really has: each is noted while the app is built, so that none can be forgotten.

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { FastifyInstance, RouteOptions } from "fastify";
import type { JsonSchema } from "./fromSchema.ts";

export type AppRoute = {
  readonly method: string;
  /** As it was registered: `:name` stands for a part, `*` for the rest. */
  readonly url: string;
  readonly schema: {
    readonly params?: JsonSchema;
    readonly querystring?: JsonSchema;
    readonly body?: JsonSchema;
  };
};

/** Builds an app, and gives its routes; those that fastify adds for HEAD are left out. */
export async function withRoutes<App>(
  build: () => App | Promise<App>,
): Promise<{ app: App; routes: AppRoute[] }> {
  const routes: AppRoute[] = [];
  const note = ({ method, url, schema = {} }: RouteOptions): void => {
    for (const each of [method].flat()) {
      if (each === "HEAD" && routes.some((route) => route.url === url && route.method === "GET")) continue;
      routes.push({ method: each, url, schema: schema as AppRoute["schema"] });
    }
  };
  const watch = (message: unknown): void => {
    (message as { fastify: FastifyInstance }).fastify.addHook("onRoute", note);
  };
  subscribe("fastify.initialization", watch);
  try {
    return { app: await build(), routes };
  } finally {
    unsubscribe("fastify.initialization", watch);
  }
}
