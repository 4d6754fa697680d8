// Clicks through examples/tickets: node tickets.mjs ADDRESS CHROMIUM SCREENSHOT
import assert from "node:assert/strict";
import { open } from "./browser.mjs";

const [address, chromium, screenshot] = process.argv.slice(2);
const { page, close } = await open(chromium);
try {
  await page.goto(address);
  await page.getByText("No one has booked yet").waitFor();
  assert.equal(await page.title(), "Teatro Tierra");
  assert.equal(await page.locator("#count").textContent(), "0 seats booked");

  await page.getByLabel("Name").fill("Ada Lovelace");
  await page.getByLabel("Show").selectOption({ index: 1 });
  await page.getByLabel("Seats").fill("3");
  await page.getByRole("button", { name: "Book tickets" }).click();
  await page.getByText("Booked for Ada Lovelace").waitFor();
  const ticket = page.locator("#tickets li");
  await ticket.filter({ hasText: "Ada Lovelace" }).filter({ hasText: "Night of Shorts" }).waitFor();
  assert.equal(await page.locator("#count").textContent(), "3 seats booked");
  await page.screenshot({ path: screenshot, fullPage: true });

  await page.reload();
  await ticket.filter({ hasText: "Ada Lovelace" }).waitFor();
  assert.equal(await ticket.count(), 1);

  await page.getByRole("button", { name: "Cancel the booking of Ada Lovelace" }).click();
  await page.getByText("The booking of Ada Lovelace is cancelled").waitFor();
  await page.getByText("No one has booked yet").waitFor();
  assert.equal(await ticket.count(), 0);
  await page.reload();
  await page.getByText("No one has booked yet").waitFor();

  await page.setViewportSize({ width: 320, height: 640 }); // a small telephone
  await page.getByLabel("Name").fill("Ada".repeat(26));
  await page.getByLabel("Name").press("Enter");
  await ticket.waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);

  // Without an answer the page says so. This page is not watched for problems.
  const cut = await page.context().browser().newPage();
  await cut.goto(address);
  await cut.locator("#tickets li").waitFor();
  await cut.route("**/tickets", route => route.abort());
  await cut.getByLabel("Name").fill("Grace Hopper");
  await cut.getByLabel("Name").press("Enter");
  await cut.getByText("The API cannot be reached.").waitFor();
  await cut.getByRole("button", { name: "Book tickets", disabled: false }).waitFor();
} finally {
  await close();
}
