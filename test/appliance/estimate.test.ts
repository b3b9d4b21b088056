// How long dry runs say that work takes, and by which rate.

import { expect, test } from "vitest";
import {
  assumedRates,
  durationText,
  estimateJson,
  estimateOf,
  estimateText,
  rateOf,
} from "../../appliance/estimate.ts";

const MiB = 2 ** 20;

test("at the rate that was measured, which is said", () => {
  const rate = rateOf({ bytes: 128 * MiB, seconds: 2 }, "8 packs", assumedRates.disk);
  const estimate = estimateOf(64 * 600 * MiB, rate);
  expect(estimate.seconds).toBe(600);
  expect(estimateText(estimate)).toBe("about 10 min 00 s, at 64.0 MiB/s (measured on 8 packs, 128 MiB)");
  expect(estimateJson(estimate)).toEqual({
    eta_seconds: 600,
    eta_from: "measured",
    eta_bytes_per_second: 64 * MiB,
  });
});

test("at an assumed one, which is said, where nothing could be measured", () => {
  for (const sample of [null, { bytes: 0, seconds: 1 }, { bytes: 1, seconds: 0 }]) {
    expect(rateOf(sample, "0 packs", assumedRates.disk)).toBe(assumedRates.disk);
  }
  const estimate = estimateOf(12_500_000, assumedRates.line);
  expect(estimateText(estimate)).toBe("about 10 s, at 1.19 MiB/s (assumed: a line of 10 Mbit/s)");
  expect(estimateJson(estimate)).toMatchObject({ eta_seconds: 10, eta_from: "assumed" });
  expect(durationText(0.2)).toBe("less than a second");
});
