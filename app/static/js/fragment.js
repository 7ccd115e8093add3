/* Swap parts of this page for the same parts of a page that the server rendered. */

export const parse = (html) => new DOMParser().parseFromString(html, "text/html");

/** Replace each element that has one of `ids` by its namesake in `next`; keeps the focus where it was, by id. */
export function swap(next, ids) {
  const focused = document.activeElement?.id;
  for (const id of ids) {
    const old = document.getElementById(id);
    const fresh = next.getElementById(id);
    if (old && fresh) old.replaceWith(document.importNode(fresh, true));
  }
  if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus();
}

/** POST a form as the browser would, `extra` fields included; resolves with the page that it led to. */
export async function send(form, extra = {}, signal) {
  const body = new URLSearchParams(new FormData(form));
  for (const [name, value] of Object.entries(extra)) body.set(name, value);
  // The attribute, because a button named "action" hides the property of that name.
  const response = await fetch(form.getAttribute("action"), { method: "POST", body, signal, headers: { "X-Requested-With": "fetch" } });
  if (!response.headers.get("Content-Type")?.includes("text/html")) throw new Error("not a page");
  return { response, page: parse(await response.text()) };
}

export function say(id, text) {
  const region = document.getElementById(id);
  if (region) region.textContent = text;
}
