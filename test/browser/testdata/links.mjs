// Clicks through examples/links: node links.mjs ADDRESS CHROMIUM SCREENSHOT
import assert from "node:assert/strict";
import { open } from "./browser.mjs";

const [address, chromium, screenshot] = process.argv.slice(2);
const { page, close } = await open(chromium);
try {
  await page.goto(address);
  await page.getByText("No links yet").waitFor();
  await page.getByLabel("Address to shorten").fill(address + "/index.html?from=link");
  await page.getByRole("button", { name: "Shorten" }).click();
  const row = page.locator("#links tr").filter({ hasText: "from=link" });
  await row.filter({ hasText: "0 visits" }).waitFor();
  const [popup] = await Promise.all([page.waitForEvent("popup"), row.getByRole("link").click()]);
  await popup.waitForURL("**/index.html?from=link");
  await popup.close();
  await page.reload(); // the page asks once, shortly after the click: a cold start may take longer
  await row.filter({ hasText: "1 visit" }).waitFor();
  await page.screenshot({ path: screenshot, fullPage: true });
  assert.equal(await page.locator("#links tr").count(), 1);

  await page.setViewportSize({ width: 320, height: 640 }); // a small telephone
  await page.getByLabel("Address to shorten").fill("https://example.org/" + "long".repeat(40));
  await page.getByRole("button", { name: "Shorten" }).click();
  await page.locator("#links tr").nth(1).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
} finally {
  await close();
}
