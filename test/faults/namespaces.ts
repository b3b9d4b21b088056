// Places with networks of their own on one machine (Linux network namespaces), and lines between them. Nothing gets out of them: there is no
// route to anywhere else.

import { onTearDown, runTool } from "./tearDown.ts";

/** A namespace; removed with the test. Its interfaces go with it. */
export function makePlace(name: string): string {
  const place = `holdfast-${process.pid}-${name}`;
  onTearDown(() => runTool("ip", "netns", "delete", place));
  runTool("ip", "netns", "add", place);
  runTool("ip", "-n", place, "link", "set", "lo", "up");
  return place;
}

export type Line = {
  /** Addresses of both ends. */
  readonly near: string;
  readonly far: string;
  /** Pulls the cable at the far end. */
  readonly pull: () => void;
};

/** A cable from one place to another: 10.77.`number`.1 and .2. */
export function connectPlaces(near: string, far: string, number: number): Line {
  const cable = `line${number}`;
  runTool("ip", "-n", near, "link", "add", cable, "type", "veth", "peer", "name", cable, "netns", far);
  const ends = [near, far].map((place, i) => {
    const address = `10.77.${number}.${i + 1}`;
    runTool("ip", "-n", place, "address", "add", `${address}/24`, "dev", cable);
    runTool("ip", "-n", place, "link", "set", cable, "up");
    return address;
  });
  // The far end reaches all ends that the near place has.
  runTool("ip", "-n", far, "route", "add", "10.77.0.0/16", "via", ends[0]!);
  return {
    near: ends[0]!,
    far: ends[1]!,
    pull: () => void runTool("ip", "-n", far, "link", "set", cable, "down"),
  };
}

/** The words before a command that is to run in a place. */
export function inPlace(place: string): string[] {
  return ["ip", "netns", "exec", place];
}

/** Why no namespace can be made here, or undefined. */
export function namespacesMissing(): string | undefined {
  const name = `holdfast-${process.pid}-probe`;
  try {
    runTool("ip", "netns", "add", name);
    runTool("ip", "netns", "delete", name);
    return undefined;
  } catch (error) {
    return `network namespaces cannot be made: ${(error as Error).message}`;
  }
}
