/* Cart: quantities save themselves. Product: adding stays on the page and says so. Both fall back to the plain form. */
import { say, send, swap } from "./fragment.js";

document.addEventListener("change", (event) => save(event.target.closest("form[data-quantity]")));
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-quantity]")) return;
  event.preventDefault();
  save(event.target);
});

/* Enter in the field is a change and a submit: one request, or the second would undo what the shopper does next. */
async function save(form) {
  const quantity = form?.elements.quantity.value;
  if (!form || form.dataset.saving === quantity) return;
  form.dataset.saving = quantity;
  document.getElementById("cart")?.setAttribute("aria-busy", "true");
  try {
    const { page } = await send(form);
    if (!page.getElementById("cart")) throw new Error("not the cart");
    swap(page, ["cart", "site-actions", "flashes"]);
    say("cart-status", "Cart updated.");
  } catch {
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
