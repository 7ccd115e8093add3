/* Cart: quantities save themselves. Product: adding stays on the page and says so. Both fall back to the plain form. */
import { say, send, swap } from "./fragment.js";

document.addEventListener("change", (event) => save(event.target.closest("form[data-quantity]")));
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-quantity]")) return;
  event.preventDefault();
  save(event.target);
});

let newest = 0;
let sent = Promise.resolve();

/* Enter in the field is a change and a submit: one request, or the second would undo what the shopper does next. */
function save(form) {
  const quantity = form?.elements.quantity.value;
  if (!form || form.dataset.saving === quantity) return;
  form.dataset.saving = quantity;
  const mine = ++newest;
  // One after the other: the server ends with what was typed last, and only the last answer is shown.
  sent = sent.then(() => post(form, () => mine === newest));
}

async function post(form, isNewest) {
  const cart = document.getElementById("cart");
  cart?.setAttribute("aria-busy", "true");
  try {
    const { response, page } = await send(form, {}, AbortSignal.timeout(10_000));
    if (!response.ok || page.getElementById("error-summary") || !page.getElementById("cart")) throw new Error("refused");
    if (!isNewest()) return;
    swap(page, ["cart", "site-actions", "flashes"]);
    say("cart-status", page.getElementById("flashes").textContent.trim() ? "" : "Cart updated.");
  } catch {
    delete form.dataset.saving;
    cart?.removeAttribute("aria-busy");
    form.submit();
  }
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
