/* The officer's desk: a document and a name, one action, admit or triage; the way out; what was entered here today.

Everything works by keyboard alone, and without a signal: an entry is kept first and sent then. Without an answer from
the registry the officer looks at the papers. */

import { Queue } from "./queue.js";
import { Sender } from "./sender.js";

const LOOK_UP_MS = 8000, EVERY_MS = 30000, CLOCK_WRONG_MS = 60000, LATE_MS = 24 * 3600 * 1000;
const $ = (id) => document.getElementById(id);
const desk = $("desk"), words = JSON.parse(desk.dataset.words), { home, facility, account, offset } = desk.dataset;
const headers = {
  accept: "application/json", "content-type": "application/json", ...JSON.parse(document.body.getAttribute("hx-headers")),
};
const skew = Number(desk.dataset.now) - Date.now(); // a computer's clock that is wrong must not make entries wrong
const now = () => Date.now() + (Math.abs(skew) > CLOCK_WRONG_MS ? skew : 0);
const offsetMs = (offset[0] === "-" ? -1 : 1) * (Number(offset.slice(1, 3)) * 60 + Number(offset.slice(4))) * 60000;
const queue = await Queue.open(account, desk.dataset.key);
desk.removeAttribute("data-key");
const sender = new Sender(queue, facility, `${home}/meja/entri`, headers, words.waited, { changed: () => render(), signedOut });
let asked = 0, group = null, riders = 0, isEntering = false;

function uuid7(at) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  for (let index = 0; index < 6; index += 1) bytes[index] = Math.floor(at / 2 ** (8 * (5 - index))) % 256;
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

function say(text) {
  $("said").textContent = text;
  $("said").hidden = !text;
}

function trouble(text, link = "") {
  $("trouble").textContent = text;
  if (link) {
    const anchor = document.createElement("a");
    anchor.href = `/masuk?ke=${home}/meja`;
    anchor.textContent = link;
    $("trouble").append(" ", anchor);
  }
  $("trouble").hidden = !text;
}

function signedOut() {
  trouble(words.signed_out, words.sign_in);
}

function wrong(id, text) {
  const why = $(`${id}-wrong`);
  why.textContent = text;
  why.hidden = false;
  $(id).setAttribute("aria-invalid", "true");
  $(id).closest(".field").classList.add("wrong");
  $(id).closest("details")?.setAttribute("open", "");
  $(id).focus();
  return null;
}

function clearWrong() {
  for (const why of desk.querySelectorAll(".why")) why.hidden = true;
  for (const field of desk.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  for (const field of desk.querySelectorAll(".field.wrong")) field.classList.remove("wrong");
}

/** Return the document of a form's two fields, or null with what is wrong said beside it. */
function documentIn(kind, number) {
  const value = $(number).value.trim();
  if (!value) return wrong(number, words.empty);
  if ($(kind).value === "nik" && !/^[0-9]{16}$/.test(value.replace(/[ .-]/g, ""))) return wrong(number, words.nik_length);
  return { type: $(kind).value, value: $(kind).value === "nik" ? value.replace(/[ .-]/g, "") : value };
}

async function lookUp() {
  clearWrong();
  const subject = documentIn("kind", "number"), isKnown = $("kind").value !== "temporary";
  if (!subject) return;
  if (isKnown && !$("name").value.trim()) {
    if (document.activeElement === $("number")) $("name").focus();
    else wrong("name", words.empty);
    return;
  }
  const mine = (asked += 1);
  say(words.looking);
  const found = isKnown ? await askRegistry({ subject, name: $("name").value.trim() }) : { action: "check" };
  if (mine !== asked) return;
  say("");
  if (found.field) wrong(found.field === "name" ? "name" : "number", words.number_wrong);
  else decide(found.action);
}

/** Return {action}, without one where nobody answers, or {field} that cannot be. */
async function askRegistry(body) {
  try {
    const answer = await fetch(`${home}/meja/periksa`, {
      method: "POST", headers, body: JSON.stringify(body), signal: AbortSignal.timeout(LOOK_UP_MS),
    });
    const told = await answer.json();
    if (answer.ok) {
      trouble("");
      return told;
    }
    if (answer.status === 422) return { field: told.field };
    if (answer.status === 429) trouble(words.wait.replace("{n}", answer.headers.get("retry-after")));
    if (answer.status === 401 || answer.status === 403) signedOut();
  } catch {
    // no signal: the papers decide
  }
  return {};
}

function decide(action) {
  $("decision").hidden = false;
  $("action").firstElementChild.textContent = action ? words[action] : words.no_answer;
  $("action").lastElementChild.textContent = words[`how_${action || "check"}`];
  if (action === "admit") $("admit").focus();
  else if (action === "triage") openTriage("check");
  else $("saw").focus();
}

function openTriage(reason = "") {
  $("why-triage").hidden = false;
  $("triage").setAttribute("aria-expanded", "true");
  if (reason) $("reason").value = reason;
  (reason ? $("send-triage") : $("reason")).focus();
}

function begin() {
  asked += 1;
  clearWrong();
  for (const id of ["number", "name", "district", "words", "when", "why-late", "reason"]) $(id).value = "";
  $("saw").checked = false;
  $("triage").setAttribute("aria-expanded", "false");
  for (const id of ["decision", "why-triage"]) $(id).hidden = true;
  $("other-time").removeAttribute("open");
  $("number").focus();
}

/** Return when the person came, by the facility's clock; null with what is wrong said beside it. */
function instant() {
  if (!$("when").value) return $("when").validity.badInput ? wrong("when", words.field_wrong) : new Date(now()).toISOString();
  const at = `${$("when").value.slice(0, 16)}:00${offset}`;
  if (now() - Date.parse(at) > LATE_MS && !$("why-late").value.trim()) return wrong("why-late", words.empty);
  return Date.parse(at) > now() ? wrong("when", words.field_wrong) : at;
}

/** Enter the person who is shown; a key pressed twice enters once. */
async function enter(admitted) {
  if (isEntering || $("decision").hidden) return;
  isEntering = true;
  try {
    await enterOnce(admitted);
  } finally {
    isEntering = false;
  }
}

async function enterOnce(admitted) {
  clearWrong();
  const subject = documentIn("kind", "number");
  if (!subject) return;
  const at = instant(), residence = $("district").value.trim(), place = $("place");
  if (!at) return;
  if (residence && !/^[0-9]{2}\.?[0-9]{2}( |$)/.test(residence)) return void wrong("district", words.field_wrong);
  if (group && !place.selectedOptions[0].dataset.ride) {
    trouble(words.group_place);
    return void place.focus();
  }
  if (!admitted && !$("reason").value) return void wrong("reason", words.empty);
  if (!admitted && $("reason").value === "other" && !$("words").value.trim()) return void wrong("words", words.empty);
  const name = $("name").value.trim(), outcome = admitted ? words.in : words.to_triage;
  await keep({
    subject: { ...subject, district: residence.split(" ")[0] }, gate: place.value ? "zone" : "entrance", zone: place.value, at,
    role: $("role").value, admitted, reason: admitted ? null : $("reason").value, words: admitted ? "" : $("words").value.trim(),
    saw_id: $("saw").checked, group_id: group, why_late: $("why-late").value.trim(),
  }, name);
  if (group) showRiders(riders + 1);
  say(words.noted.replace("{what}", outcome).replace("{who}", name || shortened(subject)));
  begin();
}

async function leave(subject, name) {
  const { found } = await queue.list();
  const inside = found.findLast((one) => isInside(one) && one.entry.subject.value === subject.value);
  await keep({ subject, gate: "exit", at: new Date(now()).toISOString(), role: inside?.entry.role ?? "unknown" }, name);
  if (inside) await queue.change(inside.id, { left: true });
  say(words.noted.replace("{what}", words.out).replace("{who}", name || shortened(subject)));
  await render();
}

async function keep(entry, name) {
  await queue.add({ scan_id: uuid7(now()), ...entry }, name, facility);
  await render();
  sender.flush();
}

const shortened = (subject) => `••••${subject.value.slice(-4)}`;
const isInside = (one) => one.entry.gate !== "exit" && one.entry.admitted && !one.left && one.state !== "refused";
const clock = (at) => new Date(Date.parse(at) + offsetMs).toISOString().slice(11, 16);

function showRiders(count) {
  riders = count;
  $("riders").hidden = !group;
  $("riders").textContent = words.group_on.replace("{n}", count);
}

function cell(row, label, text) {
  const made = row.insertCell(), inner = document.createElement("span");
  made.dataset.label = label;
  inner.textContent = text;
  made.append(inner);
  return made;
}

function show(one, labels) {
  const row = document.createElement("tr"), { entry } = one;
  cell(row, labels[0], clock(entry.at));
  cell(row, labels[1], `${one.name} ${shortened(entry.subject)}`.trim());
  const outcome = entry.gate === "exit" ? words.out : entry.admitted ? words.in : words.to_triage;
  cell(row, labels[2], entry.zone ? `${outcome}: ${entry.zone}` : outcome);
  const state = one.state === "refused" && one.field ? words.refused_why.replace("{field}", one.field) : words[one.state];
  cell(row, labels[3], state).firstChild.className = `state ${{ sent: "good", refused: "bad" }[one.state] || "warn"}`;
  const last = cell(row, labels[4], one.left ? words.left : "");
  if (isInside(one)) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "second";
    button.textContent = words.leave;
    button.setAttribute("aria-label", `${words.leave}: ${one.name} ${shortened(entry.subject)}`);
    button.addEventListener("click", async () => {
      await leave(entry.subject, one.name);
      $("number").focus();
    });
    last.replaceChildren(button);
  }
  return row;
}

async function render() {
  const { found, unreadable } = await queue.list(), here = found.filter((one) => one.facility === facility);
  const table = desk.querySelector("table"), labels = [...table.querySelectorAll("th")].map((head) => head.textContent);
  const waiting = here.filter((one) => one.state === "waiting").length;
  $("rows").replaceChildren(...here.reverse().map((one) => show(one, labels)));
  table.hidden = !here.length;
  $("none").hidden = here.length > 0;
  $("queue").textContent = waiting ? words.some_wait.replace("{n}", waiting) : here.length ? words.none_wait : "";
  if (unreadable) trouble(words.unreadable.replace("{n}", unreadable));
}

async function tidy() {
  const lost = await queue.forgetOld();
  await render();
  if (lost) trouble(words.too_old.replace("{n}", lost));
  sender.flush();
}

const KEYS = {
  KeyM: () => $("number").focus(),
  KeyK: () => $("leave-number").focus(),
  KeyG: () => $("together").click(),
  KeyJ: () => (desk.querySelector("#rows button") || desk.querySelector(".scroll")).focus(),
  KeyL: () => $("decision").hidden || $("saw").click(),
  KeyA: () => $("decision").hidden || $("admit").click(),
  KeyT: () => $("decision").hidden || $("triage").click(),
};
const ENTER = { saw: () => $("admit").focus(), district: () => $("admit").focus(), reason: () => $("words").focus(), words: () => enter(false) };

document.addEventListener("keydown", (event) => {
  if (event.altKey && !event.ctrlKey && !event.metaKey && KEYS[event.code]) {
    event.preventDefault();
    KEYS[event.code]();
  } else if (event.key === "Enter" && ENTER[event.target.id]) {
    event.preventDefault();
    ENTER[event.target.id]();
  } else if (event.key === "Escape") begin();
});
$("arrive").addEventListener("submit", (event) => {
  event.preventDefault();
  lookUp();
});
$("leave").addEventListener("submit", async (event) => {
  event.preventDefault();
  clearWrong();
  const subject = documentIn("leave-kind", "leave-number");
  if (!subject) return;
  $("leave-number").value = "";
  await leave(subject, "");
});
$("admit").addEventListener("click", () => enter(true));
$("triage").addEventListener("click", () => openTriage());
$("send-triage").addEventListener("click", () => enter(false));
$("together").addEventListener("change", () => {
  group = $("together").checked ? uuid7(now()) : null;
  showRiders(0);
  trouble("");
});
for (const [kind, number] of [["kind", "number"], ["leave-kind", "leave-number"]]) {
  $(kind).addEventListener("change", () => { $(number).inputMode = $(kind).value === "nik" ? "numeric" : "text"; });
}
addEventListener("online", () => sender.flush());
setInterval(tidy, EVERY_MS);
await tidy();
if (!queue.isKept) trouble(words.no_store);
desk.dataset.ready = "1";
