// The pages that a browser shows, in a real one: found by their roles as assistive programs find them, walked by keyboard, every
// link followed, in light and dark.
//
// HOLDFAST_SCREENSHOTS=DIR keeps pictures of them there.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { canRun } from "../../faults/requirements.ts";
import { clientDone } from "./clientProgram.ts";
import { fillClientTree } from "./clientTree.ts";
import { type DavSite, openDavSite } from "./davSite.ts";

const seed = Number(process.env.HOLDFAST_SEED ?? 29);
const pictures = process.env.HOLDFAST_SCREENSHOTS;
const undo: (() => void | Promise<void>)[] = [];

describe.skipIf(!canRun("a browser", "/usr/bin/chromium", "unzip", "diff"))(
  `in Chromium (seed ${seed})`,
  () => {
    let site: DavSite;
    let browser: Browser;
    let context: BrowserContext;
    let page: Page;
    /** What the page complained about, and hosts that it asked. */
    let complaints: string[];

    beforeAll(async () => {
      site = await openDavSite(
        (folder) => fillClientTree(folder, seed),
        (step) => undo.push(step),
      );
      const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"];
      browser = await chromium.launch({
        executablePath: "/usr/bin/chromium",
        args: ["--no-sandbox", "--disable-gpu", "--no-first-run", ...quiet],
      });
      undo.push(() => browser.close());
    });
    afterAll(async () => {
      for (const step of undo.reverse()) await step();
    });
    beforeEach(async () => {
      complaints = [];
      context = await browser.newContext({
        ignoreHTTPSErrors: true,
        httpCredentials: { username: site.user, password: site.appPassword },
        viewport: { width: 1000, height: 700 },
      });
      page = await context.newPage();
      page.on("console", (message) => {
        if (message.type() === "error") complaints.push(message.text());
      });
      page.on("pageerror", (error) => complaints.push(String(error)));
      page.on("request", (request) => {
        if (new URL(request.url()).origin !== site.url) complaints.push(request.url());
      });
    });
    afterEach(async () => {
      await context.close();
      // Browsers ask for it by themselves, and there is none.
      expect(complaints.filter((text) => !text.includes("404"))).toEqual([]);
    });

    const picture = async (name: string): Promise<void> => {
      if (pictures !== undefined) await page.screenshot({ path: join(pictures, `${name}.png`) });
    };
    const go = async (path: string) => (await page.goto(`${site.url}${path}`))?.status();

    it("is walked from the top to a file, by keyboard alone", async () => {
      expect(await go("/dav/")).toBe(200);
      await picture("top");
      expect(await page.title()).toBe("Backups - Holdfast");
      const steps = ["alice", "laptop", "files", "latest", ...site.source.slice(1).split("/"), "names"];
      for (const step of steps) {
        const link = page.getByRole("table").getByRole("link", { name: `${step}/`, exact: true });
        for (let presses = 0; presses < 60; presses++) {
          await page.keyboard.press("Tab");
          if (await link.evaluate((element) => element.matches(":focus"))) break;
        }
        expect(await link.evaluate((element) => element.matches(":focus-visible")), step).toBe(true);
        await page.keyboard.press("Enter");
        await page.waitForURL(`**/${step}/`);
        expect(await page.title()).toBe(`${step} - Holdfast`);
        expect(await page.getByRole("heading", { level: 1 }).textContent()).toBe(step);
      }
      const path = page.getByRole("navigation", { name: "Path" });
      expect(await path.getByRole("listitem").allTextContents()).toEqual(["Backups", ...steps]);
      await path.getByRole("link", { name: "files", exact: true }).click();
      expect(new URL(page.url()).pathname).toBe("/dav/alice/laptop/files/");
      await page.getByRole("link", { name: "Parent folder" }).click();
      expect(new URL(page.url()).pathname).toBe("/dav/alice/laptop/");
    });

    it.each(["light", "dark"] as const)(
      "is readable in %s, on wide and narrow screens",
      async (colorScheme) => {
        await page.emulateMedia({ colorScheme });
        for (const width of [1000, 360]) {
          await page.setViewportSize({ width, height: 700 });
          for (const folder of ["", "content/", "names/", "links/"]) {
            expect(await go(`${site.tree}${folder}`)).toBe(200);
            await picture(`${colorScheme}-${width}-${folder.slice(0, -1) || "tree"}`);
            const wider = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
            expect(wider, `${folder} at ${width}`).toBeLessThanOrEqual(0);
            expect(await page.evaluate(`(${lowestContrast})()`), folder).toBeGreaterThanOrEqual(4.5);
          }
        }
      },
    );

    it("every link of a folder of hard names leads to that file's bytes", async () => {
      for (const folder of ["names", "hard"]) {
        await go(`${site.tree}${folder}/`);
        const hrefs = await page.evaluate<string[]>(
          '[...document.querySelectorAll("table a")].map((link) => link.href)',
        );
        const bodies = new Set<string>();
        for (const href of hrefs.filter((each) => !each.endsWith("/"))) {
          const got = await context.request.get(href);
          expect(got.status(), href).toBe(200);
          bodies.add((await got.body()).toString("latin1"));
        }
        const names = readdirSync(join(site.source, folder), { encoding: "buffer", withFileTypes: true });
        const files = names.filter((entry) => entry.isFile());
        const contents = files.map(({ name }) =>
          readFileSync(Buffer.concat([Buffer.from(`${site.source}/${folder}/`), name])).toString("latin1"),
        );
        expect(bodies).toEqual(new Set(contents));
      }
    });

    it("downloads what it does not show, whole", async () => {
      await go(`${site.tree}content/`);
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("link", { name: "f4194305" }).click(),
      ]);
      expect(download.suggestedFilename()).toBe("f4194305");
      const bytes = readFileSync(await download.path());
      expect(bytes.equals(readFileSync(join(site.source, "content/f4194305")))).toBe(true);
    });

    it.each(["tar", "zip"])("downloads a whole folder as %s", async (format) => {
      await go(`${site.tree}names/`);
      await picture("names-archives");
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("banner").getByRole("link", { name: format, exact: true }).click(),
      ]);
      expect(download.suggestedFilename()).toBe(`names.${format}`);
      const out = join(site.folder, `out-${format}`);
      const unpack = format === "tar" ? 'tar -xf "$1"' : 'unzip -q "$1"';
      await clientDone("sh", ["-c", `mkdir "$2"; cd "$2"; ${unpack}`, "sh", await download.path(), out]);
      await clientDone("diff", ["-r", "--no-dereference", join(site.source, "names"), join(out, "names")]);
    });

    it("shows a long folder, and says of links and empty folders what they are", async () => {
      await go(`${site.tree}large/`);
      expect(await page.getByRole("table").getByRole("link").count()).toBe(401);
      await go(`${site.tree}content/empty%20folder/`);
      expect(await page.getByText("This folder is empty.").isVisible()).toBe(true);
      await go(`${site.tree}links/`);
      expect(await page.getByRole("row", { name: "toFile is" }).textContent()).toContain(
        "is a link to ../content/f4096",
      );
      expect(await page.getByRole("row", { name: "up is" }).textContent()).toContain("is a link to ..");
    });

    it("says what is wrong where there is nothing, and asks for a password", async () => {
      expect(await go(`${site.tree}nowhere`)).toBe(404);
      const stranger = await browser.newContext({ ignoreHTTPSErrors: true });
      const answer = await stranger.request.get(`${site.url}/dav/alice/`);
      expect([answer.status(), answer.headers()["www-authenticate"]]).toEqual([
        401,
        'Basic realm="Holdfast", charset="UTF-8"',
      ]);
      await stranger.close();
    });
  },
);

/** In the page: the lowest contrast (WCAG 2) between a text's colour and what the browser paints behind all of it. */
const lowestContrast = `() => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const probe = document.createElement("div");
  probe.style.color = "Canvas";
  document.body.append(probe);
  const behind = light(getComputedStyle(probe).color);
  probe.remove();
  const shown = [...document.querySelectorAll("a, p, h1, th, td, li, span")];
  return Math.min(...shown.map((element) => {
    const text = light(getComputedStyle(element).color);
    return (Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05);
  }));
}`;
