/* The form of the first use: who the phone's owner says he is. It is checked here, and again by the server. */

import { NoSignal, Refused, post } from "./api.js";
import { makeKeys, newDevice, publicKeyOf } from "./chain.js";
import { faultOfNik } from "./nik.js";
import { OWNER, people } from "./people.js";
import { send, signAnew, signWaiting } from "./scans.js";
import { put } from "./store.js";
import { busy, by, show, showFaults } from "./views.js";
import { say } from "./words.js";

const ADULT = 18;
const PHONE = /^\+?[0-9][0-9 ()-]{6,22}[0-9]$/;
const NUMBER = /^[A-Za-z0-9 -]{4,32}$/;
const FIELDS = {
  // as the server names them: as the form does
  "document.number": "number",
  "document.type": "type",
  guardian: "guardian_name",
  "guardian.name": "guardian_name",
  "guardian.phone": "guardian_phone",
};

let lost = null; // whom the server does not know any more, if it is he who says anew who he is

/** Show the form: for the phone's owner, for somebody else who comes along, or for somebody who is lost. */
export async function openClaim(person = null) {
  const [owner] = await people();
  lost = person;
  const isMore = Boolean(owner) && !person;
  by("claim-title").textContent = say(isMore ? "visit.claim_more" : "visit.claim");
  by("claim-why").textContent = say(isMore ? "visit.claim_more_why" : "visit.claim_why");
  by("claim-form").guardian_name.value ||= isMore ? owner.name : "";
  show("claim");
}

/** Let the form work; `done` is called when the phone has an identity. */
export function prepareClaim(done) {
  const form = by("claim-form");
  form.birth_date.max = new Date().toISOString().slice(0, 10);
  form.birth_date.addEventListener("change", () => showGuardian(form));
  form.type.addEventListener("change", () => showNumber(form));
  form.province.addEventListener("change", () => fillRegions(form.province, form.district, form.sub_district));
  form.district.addEventListener("change", () => fillRegions(form.district, form.sub_district));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(form.querySelector("button"), () => claim(form, done));
  });
}

async function claim(form, done) {
  const faults = faultsOf(form);
  showFaults(form, faults);
  if (Object.keys(faults).length) return;
  const keys = await makeKeys();
  try {
    const told = await post("/visitor/claim", bodyOf(form, await publicKeyOf(keys)));
    const id = lost?.id ?? ((await people()).length ? told.device_id : OWNER);
    await put({ device: newDevice(id, told.device_id, keys, form.elements.name.value.trim()) });
    if (lost) await signAnew(id);
  } catch (error) {
    showFaults(form, faultsOfAnswer(error));
    return;
  }
  lost = null;
  form.reset();
  showGuardian(form);
  await navigator.storage?.persist?.();
  await signWaiting();
  await send().catch(() => undefined); // it waits; the next page sends it
  done();
}

function bodyOf(form, public_key) {
  const value = (name) => form.elements[name].value.trim();
  return {
    document: { type: value("type"), number: value("number") },
    name: value("name"),
    birth_date: value("birth_date"),
    sub_district: value("sub_district"),
    village: value("village"),
    phone: value("phone"),
    guardian: isChild(form) ? { name: value("guardian_name"), phone: value("guardian_phone") } : null,
    public_key,
  };
}

function faultsOf(form) {
  const faults = {};
  for (const input of form.querySelectorAll("input, select")) {
    if (input.required && !input.closest("[hidden]") && !input.value.trim()) faults[input.name] = "form.empty";
  }
  const check = (name, isWrong, key) => {
    if (!faults[name] && isWrong(form.elements[name].value.trim())) faults[name] = key;
  };
  if (form.type.value === "nik") check("number", faultOfNik, faultOfNik(form.number.value.trim()));
  else check("number", (text) => !NUMBER.test(text), "visit.why_number");
  check("birth_date", (day) => day < "1900" || day > form.birth_date.max, "visit.why_birth_date");
  check("phone", (text) => !PHONE.test(text), "why.phone");
  if (isChild(form)) check("guardian_phone", (text) => !PHONE.test(text), "why.phone");
  return faults;
}

/** What the server found: the key of words for the field it names. */
function faultsOfAnswer(error) {
  if (error instanceof NoSignal) return { "": error.isTooOften ? "error.429" : "visit.needs_signal" };
  if (error instanceof DOMException) return { "": "visit.no_storage" }; // as of some private windows, or where it is full
  if (!(error instanceof Refused)) throw error;
  const name = FIELDS[error.field] ?? error.field;
  if (name === "number" && error.reason.includes("region")) return { number: "visit.nik_region" };
  if (name === "guardian_name" && error.field === "guardian") return { birth_date: "visit.guardian_why" };
  return { [name]: "form.wrong" };
}

function isChild(form) {
  const [year, month, day] = form.birth_date.value.split("-").map(Number);
  const now = new Date();
  return Boolean(year) && new Date(year + ADULT, month - 1, day) > now;
}

function showGuardian(form) {
  by("guardian").hidden = !isChild(form);
}

function showNumber(form) {
  const isNik = form.type.value === "nik";
  form.number.inputMode = isNik ? "numeric" : "text";
  by("number-hint").hidden = !isNik;
}

/** Fill a choice with what lies in the chosen region, and empty those below it. */
async function fillRegions(from, next, ...below) {
  for (const choice of [next, ...below]) choice.replaceChildren(new Option("", ""));
  if (!from.value) return;
  const answer = await fetch(`/wilayah?${from.name}=${encodeURIComponent(from.value)}`).catch(() => null);
  if (answer?.ok) next.innerHTML = await answer.text();
  else showFaults(from.form, { "": "visit.needs_signal" });
}
