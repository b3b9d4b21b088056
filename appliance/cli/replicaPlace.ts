// Options that say how a replica is reached, wherever a command takes its address.

import { resolve } from "node:path";
import type { ReplicaOptions } from "../../gateway/catalog/replicas.ts";
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
    summary: "S3: keys, as in ~/.aws/credentials; another gateway: the token file that it gave",
  },
  { name: "profile", kind: "text", value: "NAME", summary: "S3: the profile in the credentials" },
  { name: "root-url", kind: "text", value: "URL", summary: "where the roots are, if elsewhere" },
];

/** How to reach a replica, as the command line says; paths are absolute. */
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
  path("credentials-file", "credentialsFile");
  if (args.flag("path-style")) options.pathStyle = true;
  return options;
}
