// Opens a page in headless Chromium that fails on every error of its script and
// on every request that the server does not answer well.
import { createRequire } from "node:module";

// playwright-core comes from NODE_PATH, which only require knows.
const { chromium } = createRequire(import.meta.url)("playwright-core");

export async function open(executablePath) {
  const browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
  const page = await browser.newPage({ viewport: { width: 1100, height: 760 } });
  page.setDefaultTimeout(60_000);
  const problems = [];
  page.on("pageerror", e => problems.push(`the page's script: ${e.message}`));
  page.on("console", m => m.type() === "error" && problems.push(`the console: ${m.text()}`));
  page.on("requestfailed", r => problems.push(`${r.method()} ${r.url()}: ${r.failure()?.errorText}`));
  page.on("response", r => r.status() >= 400 && problems.push(`${r.request().method()} ${r.url()}: ${r.status()}`));
  const close = async () => {
    const html = problems.length ? await page.content().catch(() => "") : "";
    await browser.close();
    if (problems.length) {
      console.error(problems.join("\n"));
      console.error(html.slice(-3000));
      process.exitCode = 1;
    }
  };
  return { page, close };
}
