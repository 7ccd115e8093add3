/* The miles control. The text field is the control; the slider mirrors it. The server prices: what is shown between two
   of its answers is marked "about", and only a settled quote can be paid. */
import { say, send, swap } from "./fragment.js";

const root = document.getElementById("mpc");
const form = document.getElementById("pay-form");
const text = document.getElementById("miles");
const range = document.getElementById("miles-r");
const PARTS = ["mpc-error", "mpc-presets", "mpc-rules", "mpc-figures", "pay-changes", "pay-card", "pay-review"];
const number = new Intl.NumberFormat(document.documentElement.lang);
const data = () => root.dataset;
let timer, running, changedAt = 0, dirty = false;

const typed = () => {
  const digits = text.value.replace(/[\s,.'’]/g, "");
  return /^\d{1,15}$/.test(digits) ? Number(digits) : null;
};

function cash(minor) {
  const format = new Intl.NumberFormat(document.documentElement.lang, { style: "currency", currency: data().currency });
  return format.format(minor / 10 ** format.resolvedOptions().maximumFractionDigits);
}

function paint(points) {
  range.value = points;
  range.style.setProperty("--fill", `${(100 * range.value) / Math.max(1, data().max)}%`);
}

function estimate(points) {
  const value = Math.min(Math.floor((points * data().rate) / 100), Number(data().total));
  const rest = cash(data().total - value);
  paint(points);
  range.setAttribute("aria-valuetext", `${number.format(points)} ${data().unit}, about ${rest} on your card`);
  for (const [name, amount] of [["value", cash(value)], ["card", rest]]) {
    const cell = root.querySelector(`[data-live=${name}]`);
    if (cell) cell.textContent = `about ${amount}`;
  }
}

function busy(on) {
  for (const id of PARTS) document.getElementById(id)?.setAttribute("aria-busy", String(on));
}

function settle(page, rewrite) {
  const fresh = page.getElementById("mpc");
  if (!fresh || !page.getElementById("miles-r")) throw new Error("no control to update");
  const failed = page.getElementById("miles")?.getAttribute("aria-invalid") === "true";
  swap(page, PARTS);
  Object.assign(data(), fresh.dataset);
  range.max = data().max;
  range.setAttribute("aria-valuetext", page.getElementById("miles-r")?.getAttribute("aria-valuetext") ?? "");
  paint(data().points);
  if (failed) text.setAttribute("aria-invalid", "true");
  else text.removeAttribute("aria-invalid");
  text.closest(".field").classList.toggle("field--error", failed);
  if (rewrite && !failed) text.value = number.format(data().points);
  dirty = failed;
  const words = failed ? document.getElementById("mpc-error").textContent : range.getAttribute("aria-valuetext");
  const calm = setTimeout(() => say("mpc-live", words), Math.max(0, 500 - (Date.now() - changedAt)));
  running.signal.addEventListener("abort", () => clearTimeout(calm));
}

async function quote(extra, rewrite) {
  clearTimeout(timer);
  running?.abort();
  running = new AbortController();
  busy(true);
  try {
    const { page } = await send(form, extra, running.signal);
    settle(page, rewrite);
    busy(false);
  } catch (error) {
    if (error.name === "AbortError") return;
    const field = Object.assign(document.createElement("input"), { type: "hidden" });
    [[field.name, field.value]] = Object.entries(extra);
    form.append(field);
    form.submit();
  }
}

function changed(delay) {
  dirty = true;
  changedAt = Date.now();
  clearTimeout(timer);
  running?.abort();
  timer = setTimeout(() => quote({ action: "quote" }, document.activeElement !== text), delay);
}

if (root && text && range) {
  range.hidden = false;
  paint(data().points);
  let last = Number(range.value);
  // Typed before this script came, or kept by the browser over a reload: it counts as typed now.
  if (text.value !== text.defaultValue) changed(200);

  text.addEventListener("input", () => {
    const points = typed();
    if (points !== null) estimate(Math.min(points, Number(data().max)));
    changed(200);
  });
  text.addEventListener("change", () => {
    if (!dirty && text.getAttribute("aria-invalid") !== "true") text.value = number.format(data().points);
  });
  range.addEventListener("input", () => {
    let points = Number(range.value);
    if (points > 0 && points < Number(data().min)) points = points > last ? Number(data().min) : 0;
    last = points;
    text.value = number.format(points);
    estimate(points);
    changed(200);
  });
  form.addEventListener("submit", (event) => {
    const { name, value } = event.submitter ?? {};
    if (name === "preset" || value === "quote" || dirty) {
      event.preventDefault();
      changedAt = Date.now();
      quote(name === "preset" ? { preset: value } : { action: "quote" }, true);
    }
  });
}
