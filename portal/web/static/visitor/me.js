/* One's own data, of each who is on this phone: whether he is proven and how to prove it, and how to be erased. */

import { NoSignal, Refused, clockError, postSigned } from "./api.js";
import { openClaim } from "./claim.js";
import { MOST, change, people, withScans } from "./people.js";
import { forgetReminder } from "./remind.js";
import { alone, forget, readAll, remove } from "./store.js";
import { busy, by, show, showFaults, tell } from "./views.js";
import { dayOf, say, timeOf } from "./words.js";

let shown = null; // who; null while nobody has said who he is

/** Show who the phone says he is; says false where nobody has said so yet, and nothing is kept. */
export async function showMe() {
  const all = await people();
  if (!all.length && !(await readAll("scans")).length) return false;
  by("me-who").replaceChildren(...all.map(({ id, name }) => new Option(name, id)));
  by("me-choice").hidden = all.length < 2;
  by("me-add").hidden = !all.length || all.length >= MOST;
  showPerson(all.find(({ id }) => id === shown?.id) ?? all[0] ?? null);
  show("data-saya");
  return true;
}

/** Let the buttons work; `done` is called after somebody was erased. */
export function prepareMe(done) {
  const press = (id, note, work) => by(id).addEventListener("click", () => busy(by(id), () => ask(note, work)));
  press("otp-ask", "otp-note", askOtp);
  press("officer-ask", "officer-note", askOfficerCode);
  press("officer-done", "officer-note", async () => {
    await refresh(shown);
    if (!shown.proven) tell("officer-note", say("visit.not_yet_proven"));
  });
  by("me-who").addEventListener("change", async ({ target }) => {
    showPerson((await people()).find(({ id }) => id === target.value));
  });
  press("erase-do", "erase-note", erase);
  by("erase-ask").addEventListener("click", () => offerErase(true));
  by("erase-not").addEventListener("click", () => offerErase(false));
  by("erased-home").addEventListener("click", done);
  by("me-anew").addEventListener("click", () => openClaim(shown));
  by("otp-form").addEventListener("submit", (event) => {
    event.preventDefault();
    busy(by("otp-send"), () => ask("otp-note", confirmOtp));
  });
}

function showPerson(person) {
  for (const id of ["otp-note", "officer-note", "erase-note"]) tell(id, "");
  for (const id of ["otp-form", "officer-show", "erase-sure"]) by(id).hidden = true;
  by("erase-ask").hidden = false;
  fill(person);
  ask("me-note", () => person && refresh(person));
}

function fill(person) {
  shown = person;
  by("me-who").value = person?.id ?? "";
  by("me-name").textContent = person ? person.name : say("visit.who_nobody");
  tell("me-state", person ? say(person.proven ? "visit.proven" : "visit.unproven") : "");
  by("me-state").className = `state ${person?.proven ? "good" : "warn"}`;
  by("prove").hidden = !person || person.proven;
  by("me-anew").hidden = Boolean(person) && !person.isLost;
}

/** Do something that needs the server; say beside it why it cannot be done now. */
async function ask(note, work) {
  tell(note, "");
  try {
    await work();
  } catch (error) {
    if (error instanceof NoSignal) tell(note, say(error.isTooOften ? "error.429" : "visit.needs_signal"));
    else if (error instanceof Refused) refused(note, error);
    else throw error;
  }
}

function refused(note, { status, field }) {
  if (status === 403) showLost();
  else if (field === "code") tell(note, say("visit.wrong_code"));
  else if (clockError) tell(note, say("visit.clock", { minutes: Math.round(Math.abs(clockError) / 60_000) }));
  else tell(note, say("form.wrong"));
}

function showLost() {
  by("me-anew").hidden = false;
  tell("me-note", say("visit.unknown_device"));
}

async function refresh(person) {
  const { proven } = await postSigned(person, "/visitor/me");
  await setProven(person, proven);
}

async function setProven({ id }, proven) {
  const then = await change(id, { proven });
  if (then && shown?.id === id) fill(then);
}

async function askOtp() {
  const told = await postSigned(shown, "/visitor/otp");
  by("otp-form").hidden = false;
  tell("otp-note", say("visit.otp_sent", { minutes: told.valid_minutes }));
  by("code").focus();
}

async function confirmOtp() {
  const form = by("otp-form");
  const code = by("code").value.trim();
  const faults = /^[0-9]{6}$/.test(code) ? {} : { code: "visit.six_digits" };
  showFaults(form, faults);
  if (faults.code) return;
  const person = shown;
  await postSigned(person, "/visitor/otp/confirm", code);
  form.reset();
  form.hidden = true;
  await setProven(person, true);
  by("me-name").focus();
}

async function askOfficerCode() {
  const told = await postSigned(shown, "/visitor/officer-code");
  by("officer-code").textContent = told.code.replace(/(.{4})/, "$1 ");
  tell("officer-until", say("visit.officer_until", { time: timeOf(told.valid_until) }));
  by("officer-show").hidden = false;
}

function offerErase(isOffered) {
  by("erase-sure").hidden = !isOffered;
  by("erase-ask").hidden = isOffered;
  by(isOffered ? "erase-not" : "erase-ask").focus();
}

/** Erase who is shown: on the server if it still knows the device, and here, also what a running request brings. */
async function erase() {
  const person = shown;
  const told = person ? await postSigned(person, "/visitor/erase").catch(unlessLost) : {};
  await alone("send", () => alone("chain", () => forgetPerson(person)));
  sessionStorage.clear();
  await forgetReminder();
  tell("erased-due", told.due_at ? say("visit.erased_due", { day: dayOf(told.due_at) }) : "");
  tell("erased-others", (await people()).length ? say("visit.erased_others") : "");
  showPerson(null);
  show("erased");
}

function unlessLost(error) {
  if (error instanceof Refused && error.status === 403) return {};
  throw error;
}

/** Forget somebody with his scans; the places too, for they may be his; of the last one everything. */
async function forgetPerson(person) {
  const all = await people();
  if (all.every(({ id }) => id === person?.id)) return forget();
  const own = withScans(all, await readAll("scans")).find((one) => one.person.id === person.id);
  for (const { id } of own?.scans ?? []) await remove("scans", id);
  for (const { id } of await readAll("places")) await remove("places", id);
  return remove("device", person.id);
}
