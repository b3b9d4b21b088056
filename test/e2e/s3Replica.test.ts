// The store in a bucket against a real S3 server: the suite of all stores.
import { afterAll, beforeAll, describe } from "vitest";
import { openS3Store, singleBytesMax } from "../../gateway/replica/s3/s3Store.ts";
import { testReplicaStore } from "../conformance/replicaStore.ts";
import { canRunRgw, Rgw } from "../testbeds/rgw.ts";

describe.runIf(canRunRgw("S3 replicas"))("S3 replicas", () => {
  let rgw: Rgw;
  let buckets = 0;
  beforeAll(async () => {
    rgw = await Rgw.start();
  });
  afterAll(async () => {
    await rgw.stop();
  });

  async function place(conditionalPuts: boolean, prefix: string, kind: "plain" | "versioned" = "plain") {
    const bucket = `conformance-${++buckets}`;
    await rgw.makeBucket(bucket, kind);
    const replica = { url: `s3://${bucket}${prefix}`, options: rgw.options(), conditionalPuts };
    const context = { now: () => Date.now(), environment: rgw.environment };
    const open = () => openS3Store(replica, context);
    return { store: await open(), reopen: open, remove: async () => undefined };
  }

  testReplicaStore({
    name: "S3 with conditional writes, under a prefix",
    conditionalPuts: true,
    resumes: true,
    boundaries: [singleBytesMax],
    bytesInFlightMax: 8 << 20,
    open: () => place(true, "/offsite/box-1"),
  });
  testReplicaStore({
    name: "S3 bucket with versions, without conditional writes",
    conditionalPuts: false,
    resumes: true,
    boundaries: [],
    bytesInFlightMax: 8 << 20,
    open: () => place(false, "", "versioned"),
  });
});
