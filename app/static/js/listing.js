/* Filters apply as they are chosen. Without this, or when a request fails, the Apply button does the same. */
import { parse, swap } from "./fragment.js";

const form = document.querySelector("form[data-results-form]");
let running;

async function apply() {
  const url = new URL(form.getAttribute("action"), location.href);
  for (const [name, value] of new FormData(form)) if (value) url.searchParams.append(name, value);
  running?.abort();
  running = new AbortController();
  document.getElementById("results")?.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(url, { signal: running.signal });
    if (!response.ok) throw new Error(String(response.status));
    const next = parse(await response.text());
    if (!next.getElementById("results")) throw new Error("no results");
    const count = next.getElementById("result-count")?.innerHTML ?? "";
    next.getElementById("result-count")?.replaceChildren();
    swap(next, ["results"]);
    history.replaceState(null, "", url);
    document.title = next.title;
    setTimeout(() => {
      const status = document.getElementById("result-count");
      if (status) status.innerHTML = count;
    }, 50);
  } catch (error) {
    if (error.name !== "AbortError") location.assign(url);
  }
}

document.addEventListener("change", (event) => {
  if (event.target.form === form && event.target.matches("[type=checkbox], select")) apply();
});
