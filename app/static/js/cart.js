/* Cart: quantities save themselves. Product: adding stays on the page and says so. Both fall back to the plain form. */
import { say, send, swap } from "./fragment.js";

document.addEventListener("change", (event) => save(event.target.closest("form[data-quantity]")));
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-quantity]")) return;
  event.preventDefault();
  save(event.target);
});

document.addEventListener("focusout", () => setTimeout(show));

let newest = 0;
let sent = Promise.resolve();
let answer = null;

/* Enter in the field is a change and a submit: one request, or the second would undo what the shopper does next. */
function save(form) {
  const quantity = form?.elements.quantity.value;
  if (!form || form.dataset.saving === quantity) return;
  form.dataset.saving = quantity;
  const mine = ++newest;
  // One after the other: the server ends with what was typed last, and only the last answer is shown.
  sent = sent.then(() => post(form, quantity, () => mine === newest));
}

async function post(form, quantity, isNewest) {
  const cart = document.getElementById("cart");
  cart?.setAttribute("aria-busy", "true");
  try {
    const { page } = await send(form, { quantity }, AbortSignal.timeout(10_000));
    if (!page.getElementById("cart")) throw new Error("not the cart");
    if (isNewest()) {
      answer = page;
      show();
    } else if (page.getElementById("error-summary") && form.dataset.saving === quantity) {
      // Its reason is told after what was sent meanwhile, or nobody would read it.
      delete form.dataset.saving;
      save(form);
    }
  } catch {
    delete form.dataset.saving;
    form.submit();
  } finally {
    cart?.removeAttribute("aria-busy");
  }
}

/* Not while a quantity is being typed: it would be lost. */
function show() {
  if (!answer || isTyping()) return;
  const page = answer;
  answer = null;
  swap(page, ["cart", "site-actions", "flashes"]);
  document.title = page.title;
  document.getElementById("error-summary")?.remove();
  const flashes = document.getElementById("flashes");
  const summary = page.getElementById("error-summary");
  if (summary) {
    flashes.before(document.importNode(summary, true));
    flashes.previousElementSibling.focus();
  }
  say("cart-status", summary || flashes.textContent.trim() ? "" : "Cart updated.");
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
