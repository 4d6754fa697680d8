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
} finally {
  await close();
}
