/* On every page: errors take the focus, money buttons act once, and a page out of the back/forward cache is brought up to date. */
const summary = document.getElementById("error-summary");
const heading = document.querySelector("h1[data-focus]");
if (summary) {
  summary.focus();
} else if (heading) {
  heading.focus();
}

/* A page on its way out still shows: whoever waits for a silent bank should read why. */
let waited;
const say = (on) => {
  for (const note of document.querySelectorAll("[data-waiting]")) note.textContent = on ? note.dataset.waiting : "";
};

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (event.defaultPrevented || !button?.hasAttribute("data-once")) return;
  if (button.getAttribute("aria-disabled") === "true") {
    event.preventDefault();
    return;
  }
  button.setAttribute("aria-disabled", "true");
  waited = setTimeout(() => say(true), 3000);
});

/* Not at the first showing: what was clicked while pictures were loading is on its way. */
addEventListener("pageshow", async (event) => {
  if (!event.persisted) return;
  clearTimeout(waited);
  say(false);
  for (const button of document.querySelectorAll("[data-once]")) button.removeAttribute("aria-disabled");
  const { parse, swap } = await import("./fragment.js");
  const response = await fetch(location.href);
  if (response.ok) swap(parse(await response.text()), ["site-actions"]);
});
