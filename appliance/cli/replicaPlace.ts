// Options that say how a replica is reached, wherever a command takes its address.

import { resolve } from "node:path";
import type { ReplicaOptions } from "../../gateway/catalog/replicas.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Arguments } from "./arguments.ts";
import type { OptionSpec } from "./command.ts";

export const replicaPlaceOptions: readonly OptionSpec[] = [
  { name: "endpoint", kind: "text", value: "URL", summary: "S3: the service's address, where it is not AWS" },
  { name: "region", kind: "text", value: "REGION", summary: "S3: the region" },
  {
    name: "path-style",
    kind: "flag",
    summary: "S3: the bucket goes into the path, not into the host's name",
  },
  { name: "ca-file", kind: "text", value: "FILE", summary: "certificates to trust, in PEM" },
  {
    name: "credentials-file",
    kind: "text",
    value: "FILE",
    summary: "S3: keys, as in ~/.aws/credentials",
  },
  {
    name: "token-file",
    kind: "text",
    value: "FILE",
    summary: "peer: the token file that `holdfast peer add` wrote on the far gateway",
  },
  { name: "profile", kind: "text", value: "NAME", summary: "S3: the profile in the credentials" },
  { name: "root-url", kind: "text", value: "URL", summary: "where the roots are, if elsewhere" },
];

/** How to reach a replica, as the command line says; paths are absolute. @throws HoldfastError usage */
export function replicaPlaceOf(args: Arguments): ReplicaOptions {
  const options: Record<string, unknown> = {};
  const text = (option: string, name: string): void => {
    const value = args.text(option);
    if (value !== undefined) options[name] = value;
  };
  const path = (option: string, name: string): void => {
    const value = args.text(option);
    if (value !== undefined) options[name] = resolve(value);
  };
  text("endpoint", "endpoint");
  text("region", "region");
  text("profile", "profile");
  text("root-url", "rootUrl");
  path("ca-file", "caFile");
  if (args.text("token-file") !== undefined && args.text("credentials-file") !== undefined) {
    throw new HoldfastError(ErrorCode.usage, "--token-file is for peers, --credentials-file for S3");
  }
  path("credentials-file", "credentialsFile");
  path("token-file", "credentialsFile");
  if (args.flag("path-style")) options.pathStyle = true;
  return options;
}
