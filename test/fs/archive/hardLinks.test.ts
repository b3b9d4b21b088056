import { expect, it } from "vitest";
import { HardLinks } from "../../../fs/archive/hardLinks.ts";
import { file } from "../memoryView.ts";

const path = (text: string): Buffer => Buffer.from(text);

it("knows the first path of a file as long as names of it are to come", () => {
  const links = new HardLinks();
  const { attributes } = file("x", { linkCount: 3 });
  expect(links.place(attributes, path("a"))).toEqual({ state: "first" });
  expect(links.place(attributes, path("b"))).toEqual({ state: "link", to: path("a") });
  expect(links.place(attributes, path("c"))).toEqual({ state: "link", to: path("a") });
  // All its names came by: this is another file with a number that is free again.
  expect(links.place(attributes, path("d"))).toEqual({ state: "first" });
});

it("keeps within its bound: what it cannot remember becomes a file of its own", () => {
  const links = new HardLinks(500);
  const [first, second, third] = [1, 2, 3].map(() => file("x", { linkCount: 2 }).attributes);
  expect(links.place(first!, path("a"))).toEqual({ state: "first" });
  expect(links.place(second!, path("b"))).toEqual({ state: "first" });
  expect(links.place(third!, path("c".repeat(400)))).toEqual({ state: "forgotten" });
  expect(links.place(third!, path("d".repeat(400)))).toEqual({ state: "forgotten" });
  expect(links.place(first!, path("e"))).toEqual({ state: "link", to: path("a") });
  expect(links.place(third!, path("f"))).toEqual({ state: "first" });
});

it("does not take two files for one whose numbers happen to be the same", () => {
  const links = new HardLinks();
  const { attributes } = file("x", { linkCount: 2 });
  links.place(attributes, path("a"));
  expect(links.place({ ...attributes, size: 5n }, path("b"))).toEqual({ state: "forgotten" });
});
