/* Follows a pending payment: asks after 2 s, then ever less often up to 5 s, for two minutes. */
import { parse, say } from "./fragment.js";

const started = Date.now();
let wait = 2000;

async function ask() {
  const shown = document.getElementById("order-result");
  const url = shown?.dataset.statusUrl;
  if (!url || Date.now() - started > 120000) return;
  try {
    const response = await fetch(url, { headers: { "X-Requested-With": "fetch" } });
    const fresh = response.ok && parse(await response.text()).getElementById("order-result");
    if (fresh && fresh.dataset.state !== shown.dataset.state) {
      shown.replaceWith(document.importNode(fresh, true));
      const heading = document.querySelector("#order-result h1");
      document.title = `${heading.textContent} – ${document.title.split(" – ").pop()}`;
      say("status-live", heading.textContent);
    }
  } catch {
    /* Offline for a moment: the next question may get through. */
  }
  wait = Math.min(wait + 500, 5000);
  setTimeout(ask, wait);
}

setTimeout(ask, wait);
