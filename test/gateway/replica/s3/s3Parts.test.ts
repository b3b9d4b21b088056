// The small parts of the S3 store: addresses, credentials, resume texts, retention, costs, errors, and when the SDK is loaded.
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { S3ServiceException } from "@aws-sdk/client-s3";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { ReplicaOptions } from "../../../../gateway/catalog/replicas.ts";
import { awsPrices, estimateCost } from "../../../../gateway/replica/s3/cost.ts";
import { credentialSource, parseIni, regionOf } from "../../../../gateway/replica/s3/credentials.ts";
import { retainUntil } from "../../../../gateway/replica/s3/lock.ts";
import { parseResume, partBytes } from "../../../../gateway/replica/s3/multipart.ts";
import { finalError, isWorthAnotherTry } from "../../../../gateway/replica/s3/s3Errors.ts";
import { openS3Store } from "../../../../gateway/replica/s3/s3Store.ts";
import { parseS3Url } from "../../../../gateway/replica/s3/s3Url.ts";
import { TransportError } from "../../../../gateway/replica/s3/transportError.ts";
import { ErrorCode, isHoldfastError } from "../../../../vault/errors.ts";

describe("addresses of buckets", () => {
  it("are taken apart", () => {
    expect(parseS3Url("s3://backup")).toEqual({ bucket: "backup", prefix: "" });
    expect(parseS3Url("s3://backup/")).toEqual({ bucket: "backup", prefix: "" });
    expect(parseS3Url("s3://my.Bucket_1/a/b-c/")).toEqual({ bucket: "my.Bucket_1", prefix: "a/b-c/" });
  });

  it.each([
    "",
    "s3:",
    "s3://",
    "s3://a",
    "s3:///x",
    "s3://-ab/x",
    "s3://a..b/x",
    "s3://bucket//x",
    "s3://bucket/a//b",
    "s3://bucket/../x",
    "s3://bucket/a b",
    "s3://bucket/ä",
    "s3://bucket/a?b",
    "https://bucket/x",
    `s3://bucket/${"x".repeat(900)}`,
    "s3://buck\net/x",
  ])("such as %j are refused", (url) => {
    // biome-ignore format: one line
    expect(() => parseS3Url(url)).toThrow(expect.objectContaining({ code: ErrorCode.usage }));
  });

  it("with keys in them are refused without repeating the keys", () => {
    for (const secret of ["verySecret", "has/verySecret/in+it", `${"x".repeat(300)}verySecret`]) {
      const url = `s3://AKIAKEY:${secret}@bucket/x`;
      expect(() => parseS3Url(url)).toThrow(expect.objectContaining({ code: ErrorCode.usage }));
      expect(() => parseS3Url(url)).not.toThrow(/verySecret|AKIAKEY/);
    }
  });

  it("never lead out of the bucket, whatever they are", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `s3://bucket/${text}`),
        ),
        (url) => {
          try {
            const { bucket, prefix } = parseS3Url(url);
            expect(bucket).toMatch(/^[\w.-]{3,255}$/);
            expect(prefix).toMatch(/^([\w-][\w.-]*\/)*$/);
          } catch (error) {
            expect(isHoldfastError(error, ErrorCode.usage)).toBe(true);
          }
        },
      ),
    );
  });
});

describe("credentials", () => {
  it("are read from sections of a file", () => {
    const text =
      "; c\r\n[default]\r\naws_access_key_id=A\r\naws_secret_access_key = s=+/ # c\r\n[profile off]\nx\n AWS_ACCESS_KEY_ID = B\n[default]\nregion=r";
    expect(Object.fromEntries(parseIni(text).get("default")!)).toEqual({
      aws_access_key_id: "A",
      aws_secret_access_key: "s=+/",
      region: "r",
    });
    expect(parseIni(text).get("off")?.get("aws_access_key_id")).toBe("B");
  });

  it("parse or do not, but never throw", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => void parseIni(`[default]\n${text}`)));
  });

  it("come with a region: as given, of the environment, of the profile, else Amazon's first", async () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-region-"));
    const AWS_CONFIG_FILE = join(folder, "config");
    writeFileSync(AWS_CONFIG_FILE, "[default]\nregion = eu-1\n[profile off]\nregion = eu-2\n");
    expect(await regionOf({ region: "r", profile: "off" }, { AWS_CONFIG_FILE, AWS_REGION: "e" })).toBe("r");
    expect(await regionOf({ profile: "off" }, { AWS_CONFIG_FILE, AWS_REGION: "e" })).toBe("e");
    expect(await regionOf({ profile: "off" }, { AWS_CONFIG_FILE })).toBe("eu-2");
    expect(await regionOf({}, { AWS_CONFIG_FILE })).toBe("eu-1");
    expect(await regionOf({ profile: "none" }, { AWS_CONFIG_FILE })).toBe("us-east-1");
    expect(await regionOf({}, { HOME: folder })).toBe("us-east-1");
    rmSync(folder, { recursive: true });
  });

  it("are found by the SDK for a profile, or what to do is said", async () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-profile-"));
    const shared = join(folder, "credentials");
    writeFileSync(shared, "[off]\naws_access_key_id=PROFILEKEY\naws_secret_access_key=ps\n");
    vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", shared);
    vi.stubEnv("AWS_CONFIG_FILE", join(folder, "none"));
    vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
    const signers: string[] = [];
    const server = createServer((request, response) => {
      signers.push(String(request.headers.authorization));
      response.writeHead(200, { "content-length": "5" }).end();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const open = (options: ReplicaOptions) =>
      openS3Store(
        { url: "s3://bucket", options, conditionalPuts: true },
        { now: () => new Date(), environment: {} },
      );
    const known = await open({ endpoint, profile: "off" });
    expect(await known.head("a")).toEqual({ bytes: 5 });
    expect(signers[0]).toMatch(/Credential=PROFILEKEY\//);
    await known.close();
    const unknown = await open({ endpoint, profile: "nobody" });
    await expect(unknown.head("a")).rejects.toMatchObject({
      code: ErrorCode.replicaRefused,
      next: expect.stringContaining("--credentials-file"),
    });
    await unknown.close();
    expect(signers).toHaveLength(1);
    server.closeAllConnections();
    server.close();
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  it("come from the file first, then the environment; a profile alone is the SDK's to find", async () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-ini-"));
    const credentialsFile = join(folder, "c");
    writeFileSync(
      credentialsFile,
      "[default]\naws_access_key_id=F\naws_secret_access_key=fs\naws_session_token=t\n",
    );
    const environment = { AWS_ACCESS_KEY_ID: "E", AWS_SECRET_ACCESS_KEY: "es" };
    expect(await credentialSource({ credentialsFile }, environment)?.()).toEqual({
      accessKeyId: "F",
      secretAccessKey: "fs",
      sessionToken: "t",
    });
    expect(await credentialSource({}, environment)?.()).toEqual({ accessKeyId: "E", secretAccessKey: "es" });
    expect(credentialSource({ profile: "p" }, environment)).toBeUndefined();
    expect(credentialSource({}, {})).toBeUndefined();
    // Changed keys count at once; a file that is none is refused.
    const source = credentialSource({ credentialsFile }, environment)!;
    writeFileSync(credentialsFile, "[default]\naws_access_key_id=G\naws_secret_access_key=gs\n");
    expect(await source()).toEqual({ accessKeyId: "G", secretAccessKey: "gs" });
    writeFileSync(credentialsFile, Buffer.alloc((1 << 20) + 1));
    await expect(source()).rejects.toMatchObject({ code: ErrorCode.replicaRefused });
    writeFileSync(credentialsFile, "[default]\naws_secret_access_key=topSecret\n");
    const error = await source().catch((reason: Error) => reason);
    expect(error).toMatchObject({ code: ErrorCode.replicaRefused });
    expect(String((error as Error).stack)).not.toContain("topSecret");
    rmSync(folder, { recursive: true });
  });
});

describe("resume texts", () => {
  it("count for the object they were made for alone", () => {
    const text = JSON.stringify({ upload: "u", key: "k", bytes: 5, partBytes });
    expect(parseResume(text, "k", 5)).toEqual({ upload: "u", key: "k", bytes: 5, partBytes });
    expect(parseResume(text, "l", 5)).toBeUndefined();
    expect(parseResume(text, "k", 6)).toBeUndefined();
    expect(parseResume(undefined, "k", 5)).toBeUndefined();
    expect(
      parseResume(JSON.stringify({ upload: "u", key: "k", bytes: 5, partBytes: 1 }), "k", 5),
    ).toBeUndefined();
  });

  it("never do harm", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(parseResume(text, "k", 5)).toBeUndefined();
      }),
    );
  });
});

describe("retention", () => {
  it("goes by class", () => {
    const now = new Date("2026-01-01T00:00:00Z");
    const days = { packs: 30, metadata: 0 };
    expect(retainUntil("vaults/ab/packs/cd/x", days, now)).toEqual(new Date("2026-01-31T00:00:00Z"));
    expect(retainUntil("vaults/ab/root/0000000001", days, now)).toBeUndefined();
    expect(retainUntil("gateway/root/0000000001", { packs: 0, metadata: 1 }, now)).toEqual(
      new Date("2026-01-02T00:00:00Z"),
    );
    expect(retainUntil("vaults/ab/packs/cd/x", undefined, now)).toBeUndefined();
  });
});

describe("costs", () => {
  it("are estimated by kind of request, the unknown as dear ones", () => {
    expect(estimateCost({ PutObject: 1000, GetObject: 10_000, DeleteObject: 5000 }, 0)).toBeCloseTo(0.009);
    expect(estimateCost({ Strange: 1000 }, 2 ** 30)).toBeCloseTo(0.095);
    expect(
      estimateCost({ PutObject: 1000 }, 2 ** 30, { ...awsPrices, writePerThousand: 1, egressPerGiB: 0 }),
    ).toBe(1);
  });
});

describe("errors", () => {
  const answer = (name: string, status: number, more = {}) =>
    Object.assign(
      new S3ServiceException({
        name,
        message: "words",
        $fault: "client",
        $metadata: { httpStatusCode: status },
      }),
      more,
    );

  it.each([
    ["SlowDown", 503, true, ErrorCode.replicaUnreachable],
    ["InternalError", 500, true, ErrorCode.replicaUnreachable],
    ["Unknown", 429, true, ErrorCode.replicaUnreachable],
    ["BadDigest", 400, true, ErrorCode.replicaUnreachable],
    ["RequestTimeTooSkewed", 403, true, ErrorCode.replicaRefused],
    ["QuotaExceeded", 403, false, ErrorCode.replicaFull],
    ["EntityTooLarge", 400, false, ErrorCode.replicaFull],
    ["Unknown", 507, false, ErrorCode.replicaFull],
    ["AccessDenied", 403, false, ErrorCode.replicaRefused],
    ["ExpiredToken", 400, false, ErrorCode.replicaRefused],
    ["NoSuchBucket", 404, false, ErrorCode.replicaRefused],
    ["PermanentRedirect", 301, false, ErrorCode.replicaRefused],
  ])("%s (HTTP %i): tried again: %s, in the end %s", (name, status, again, code) => {
    const error = answer(name, status);
    expect(isWorthAnotherTry(error)).toBe(again);
    expect(finalError(error, "PutObject a", "s3://b")).toMatchObject({
      code,
      message: expect.stringContaining("s3://b: PutObject a"),
      next: expect.any(String),
    });
  });

  it("name the right region", () => {
    const error = answer("AuthorizationHeaderMalformed", 400, { Region: "eu-west-1" });
    expect(finalError(error, "HeadObject a", "s3://b").next).toBe("Give --region eu-west-1.");
  });

  it("of the network are tried again; our own defects pass as they are", () => {
    expect(isWorthAnotherTry(new TransportError("reset"))).toBe(true);
    const defect = new RangeError("out of bounds");
    expect(isWorthAnotherTry(defect)).toBe(false);
    expect(() => finalError(defect, "PutObject a", "s3://b")).toThrow(defect);
  });
});

describe("the SDK", () => {
  it("is loaded when the first bucket is opened, not before", () => {
    const program = `
      import { registerHooks } from "node:module";
      let loaded = 0;
      registerHooks({ resolve(name, context, next) { loaded += /^@(aws-sdk|smithy)/.test(name) ? 1 : 0; return next(name, context); } });
      const { openReplicaStore } = await import("./gateway/replica/openStore.ts");
      const before = loaded;
      const options = { endpoint: "http://127.0.0.1:1" };
      const store = await openReplicaStore({ url: "s3://bucket", options, conditionalPuts: true }, { now: () => new Date() });
      await store.close();
      console.log(before === 0 && loaded > 0 ? "late" : "early: " + before);
    `;
    const run = spawnSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
    expect(run.stderr).toBe("");
    expect(run.stdout.trim()).toBe("late");
  });
});
