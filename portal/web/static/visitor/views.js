/* One document, several views: shows one, tells a screen reader, and says beside a field what is wrong with it. */

import { say } from "./words.js";

/** Return the element with an id. */
export function by(id) {
  return document.getElementById(id);
}

/** Show one view and no other; its heading gets the focus, so that it is read out. */
export function show(name) {
  for (const view of document.querySelectorAll("[data-view]")) view.hidden = view.dataset.view !== name;
  for (const link of document.querySelectorAll(".top nav a")) {
    if (link.hash === (name === "home" ? "" : `#${name}`)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const heading = document.querySelector(`[data-view="${name}"] h1`);
  document.title = `${heading.textContent} · Jejak`;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
  scrollTo(0, 0);
}

/** Return a new copy of what a template holds. */
export function copyOf(id) {
  return by(id).content.firstElementChild.cloneNode(true);
}

/** Put words into an element and show it; hide it where there are none. */
export function tell(id, text) {
  by(id).textContent = text;
  by(id).hidden = !text;
}

/** Say beside each field what is wrong with it (`{name: key of words}`), and go to the first. */
export function showFaults(form, faults) {
  for (const input of form.querySelectorAll("input, select")) mark(form, input, faults[input.name]);
  const summary = form.querySelector("[data-summary]");
  const elsewhere = Object.keys(faults).filter((name) => !form.elements[name]);
  summary.hidden = !Object.keys(faults).length;
  summary.textContent = summary.hidden ? "" : say(elsewhere.length ? faults[elsewhere[0]] : "form.not_right");
  (form.querySelector("[aria-invalid]") ?? (summary.hidden ? null : summary))?.focus();
}

/** Do something while its button cannot be pressed again; what fails is thrown on. */
export async function busy(button, work) {
  button.disabled = true;
  try {
    return await work();
  } finally {
    button.disabled = false;
  }
}

/** Put what is wrong below a field, and take away what was there. */
function mark(form, input, key) {
  const field = input.closest(".field");
  if (!field) return;
  const id = `${input.id}-wrong`;
  form.querySelector(`#${id}`)?.remove();
  field.classList.toggle("wrong", Boolean(key));
  const hint = field.querySelector(".hint")?.id ?? "";
  if (!key) {
    input.removeAttribute("aria-invalid");
    if (hint) input.setAttribute("aria-describedby", hint);
    else input.removeAttribute("aria-describedby");
    return;
  }
  const why = Object.assign(document.createElement("p"), { id, className: "why", textContent: say(key) });
  field.append(why);
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", `${id} ${hint}`.trim());
}
