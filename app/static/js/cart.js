/* Cart: quantities save themselves. Product: adding stays on the page and says so. Both fall back to the plain form. */
import { say, send, swap } from "./fragment.js";

document.addEventListener("change", (event) => save(event.target.closest("form[data-quantity]")));
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-quantity]")) return;
  event.preventDefault();
  save(event.target);
});

// Later than the click that took the focus away: what it is on must still be there.
document.addEventListener("focusout", () => setTimeout(show, 500));

let pending = 0;
let sent = Promise.resolve();
let answer = null;
const refusals = new Map();

/* Enter in the field is a change and a submit: one request, or the second would undo what the shopper does next. */
function save(form) {
  const quantity = form?.elements.quantity.value;
  if (!form || form.dataset.saving === quantity) return;
  form.dataset.saving = quantity;
  if (!pending && !answer) refusals.clear();
  answer = null;
  pending += 1;
  // One after the other: the server ends with what was typed last, and its last answer is what is shown.
  sent = sent.then(() => post(form, quantity));
}

async function post(form, quantity) {
  document.getElementById("cart")?.setAttribute("aria-busy", "true");
  try {
    const { page } = await send(form, { quantity }, AbortSignal.timeout(10_000));
    if (!page.getElementById("cart")) throw new Error("not the cart");
    const refusal = page.querySelector("#error-summary li");
    if (refusal) refusals.set(form.elements.sku.value, refusal);
    else refusals.delete(form.elements.sku.value);
    answer = page;
  } catch {
    delete form.dataset.saving;
    form.submit();
  }
  pending -= 1;
  if (!pending) document.getElementById("cart")?.removeAttribute("aria-busy");
  show();
}

/* When nothing is on its way any more, and not while a quantity is being typed: it would be lost. */
function show() {
  if (pending || !answer || isTyping()) return;
  const page = answer;
  answer = null;
  swap(page, ["cart", "site-actions", "flashes"]);
  document.title = page.title;
  document.getElementById("error-summary")?.remove();
  if (refusals.size) tell([...refusals.values()]);
  const isTold = refusals.size || document.getElementById("flashes").textContent.trim();
  say("cart-status", isTold ? "" : "Cart updated.");
}

/* All that was refused meanwhile, in one summary. */
function tell(reasons) {
  const summary = document.importNode(reasons[0].closest("#error-summary"), true);
  summary.querySelector("ul").replaceChildren(...reasons.map((reason) => document.importNode(reason, true)));
  document.getElementById("flashes").before(summary);
  summary.focus();
}

function isTyping() {
  const forms = [...document.querySelectorAll("form[data-quantity]")];
  return forms.some(({ dataset, elements: { quantity } }) => ![quantity.defaultValue, dataset.saving].includes(quantity.value));
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form[data-add-to-cart]") || event.defaultPrevented) return;
  event.preventDefault();
  try {
    const { response, page } = await send(form);
    if (!response.ok || page.getElementById("error-summary")) throw new Error("refused");
    swap(page, ["site-actions"]);
    say("add-status", "Added to your cart.");
    const link = document.createElement("a");
    link.href = form.dataset.cartUrl;
    link.textContent = "View cart";
    document.getElementById("add-status").append(" ", link);
  } catch {
    form.submit();
  }
});
