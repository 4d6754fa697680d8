// Clicks through examples/shop: node shop.mjs ADDRESS CHROMIUM SCREENSHOT [promoted]
// Before the canary is promoted, the stage prod has the old offer; then the new one.
import assert from "node:assert/strict";
import { open } from "./browser.mjs";

const [address, chromium, screenshot, promoted] = process.argv.slice(2);
const { page, close } = await open(chromium);
const goods = page.locator("#goods li");
const offer = page.locator("#offer");
try {
  await page.goto(address);
  if (promoted) {
    await offer.filter({ hasText: "Half price after four" }).waitFor();
    // The flushed cache: prod knows by now what was put on the shelf.
    await goods.filter({ hasText: "Blood oranges" }).filter({ hasText: "€2.80" }).waitFor();
    await page.screenshot({ path: screenshot, fullPage: true });
  } else {
    await page.getByText("The shelf is empty").waitFor();
    assert.equal(await page.title(), "Mercato Tierra");
    await offer.filter({ hasText: "Three for two" }).waitFor();
    const asked = await page.locator("#asked").textContent();
    assert.match(asked, /^as of \d\d:\d\d:\d\d UTC$/);

    // beta is the other alias, and has no cache.
    await page.getByRole("group", { name: "Stage" }).getByText("beta").click();
    await offer.filter({ hasText: "Half price after four" }).waitFor();
    await page.getByLabel("Name").fill("Blood oranges");
    await page.getByLabel("Price in cents").fill("280");
    await page.getByRole("button", { name: "Add" }).click();
    await page.getByText("Blood oranges is on the shelf.").waitFor();
    await goods.filter({ hasText: "Blood oranges" }).filter({ hasText: "€2.80" }).waitFor();

    // prod answers from its cache, with the time at which the table was asked.
    await page.getByRole("group", { name: "Stage" }).getByText("prod").click();
    await offer.filter({ hasText: "Three for two" }).waitFor();
    await page.getByText("The shelf is empty").waitFor();
    assert.equal(await page.locator("#asked").textContent(), asked);
    await page.screenshot({ path: screenshot, fullPage: true });
  }
} finally {
  await close();
}
