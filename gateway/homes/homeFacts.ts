// What a data directory says of its gateway as a home.

import type { DataDir } from "../dataDir.ts";
import type { HomesPort } from "./homes.ts";

export function homeFacts({
  identity,
  settings,
  fingerprint,
  box,
}: DataDir): ReturnType<HomesPort["gateway"]> {
  const { name, publicUrl } = settings;
  return {
    id: identity.id,
    secret: Buffer.from(identity.secret, "base64"),
    name,
    fingerprint,
    publicUrl,
    restoresOnly: box?.document.kind === "restore",
  };
}
