// rclone as what moves bytes to and from an S3 server when nothing else is done with them.

import type { Rgw } from "../../testbeds/rgw.ts";
import { type Measurement, measure, type Program } from "../measure/programs.ts";
import type { PeerDescription } from "./peer.ts";
import { versionLine } from "./version.ts";

/** Version and command lines, for the report. */
export function describeRclone(): PeerDescription {
  return {
    version: versionLine("rclone", "version") ?? "rclone",
    flags: ["rclone copy PACKS REMOTE --transfers 4 (S3, provider Ceph)", "rclone cat REMOTE/IMAGE"],
  };
}

export type RcloneS3 = {
  /** Copies a folder below a bucket, four files at a time. */
  readonly copy: (folder: string, bucket: string) => Promise<Measurement>;
  /** Puts a file into a bucket. */
  readonly put: (file: string, bucket: string) => Promise<Measurement>;
  /** Reads an object from front to back; stdout says how many bytes there were. */
  readonly cat: (bucket: string, name: string) => Promise<Measurement>;
};

/** rclone with one server; `home` is for its own files. */
export function rcloneWith(server: Rgw, home: string): RcloneS3 {
  const env = {
    HOME: home,
    RCLONE_CONFIG: "/dev/null",
    // Some rclones cannot start where this names a file; the server speaks plain HTTP.
    AWS_CA_BUNDLE: "",
    RCLONE_CONFIG_S_TYPE: "s3",
    RCLONE_CONFIG_S_PROVIDER: "Ceph",
    RCLONE_CONFIG_S_ENDPOINT: server.endpoint,
    RCLONE_CONFIG_S_ACCESS_KEY_ID: server.accessKey,
    RCLONE_CONFIG_S_SECRET_ACCESS_KEY: server.secretKey,
  };
  const rclone = (...args: string[]): Promise<Measurement> => {
    const program: Program = { command: "rclone", args, env, role: "rclone" };
    return measure(program);
  };
  return {
    copy: (folder, bucket) => rclone("copy", folder, `s:${bucket}/copy`, "--transfers", "4"),
    put: (file, bucket) => rclone("copy", file, `s:${bucket}`),
    cat: (bucket, name) =>
      measure({
        command: "sh",
        args: ["-c", 'rclone cat "$1" | wc -c', "sh", `s:${bucket}/${name}`],
        env,
        role: "rclone",
      }),
  };
}
