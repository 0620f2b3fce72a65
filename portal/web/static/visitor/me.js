/* One's own data: whether the identity is proven and how to prove it, and how to have everything erased. */

import { NoSignal, Refused, clockError, postSigned } from "./api.js";
import { alone, forget, put, read, readAll, remove } from "./store.js";
import { busy, by, show, showFaults, tell } from "./views.js";
import { dayOf, say, timeOf } from "./words.js";

/** Show who the phone says its owner is; says false where nobody has said so yet. */
export async function showMe() {
  const device = await read("device");
  if (!device) return false;
  fill(device);
  show("data-saya");
  ask("me-note", async () => fill(await refresh(device)));
  return true;
}

/** Let the buttons work; `goHome` is called when the phone has to begin anew. */
export function prepareMe(goHome) {
  const press = (id, note, work) => by(id).addEventListener("click", () => busy(by(id), () => ask(note, work)));
  press("otp-ask", "otp-note", askOtp);
  press("officer-ask", "officer-note", askOfficerCode);
  press("officer-done", "officer-note", async () => {
    const device = await refresh(await read("device"));
    fill(device);
    if (!device.proven) tell("officer-note", say("visit.not_yet_proven"));
  });
  press("erase-do", "erase-note", erase);
  by("erase-ask").addEventListener("click", () => offerErase(true));
  by("erase-not").addEventListener("click", () => offerErase(false));
  by("erased-home").addEventListener("click", goHome);
  by("me-anew").addEventListener("click", () => beginAnew().then(goHome));
  by("otp-form").addEventListener("submit", (event) => {
    event.preventDefault();
    busy(by("otp-send"), () => ask("otp-note", confirmOtp));
  });
}

function fill(device) {
  by("me-name").textContent = device.name;
  by("me-state").textContent = say(device.proven ? "visit.proven" : "visit.unproven");
  by("me-state").className = `state ${device.proven ? "good" : "warn"}`;
  by("prove").hidden = device.proven;
  by("me-anew").hidden = true;
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

async function refresh(device) {
  const told = await postSigned(device, "/visitor/me");
  return setProven(told.proven);
}

function setProven(proven) {
  return alone("chain", async () => {
    const device = { ...(await read("device")), proven };
    await put({ device });
    return device;
  });
}

async function askOtp() {
  const told = await postSigned(await read("device"), "/visitor/otp");
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
  await postSigned(await read("device"), "/visitor/otp/confirm", code);
  form.reset();
  form.hidden = true;
  fill(await setProven(true));
  by("me-name").focus();
}

async function askOfficerCode() {
  const told = await postSigned(await read("device"), "/visitor/officer-code");
  by("officer-code").textContent = told.code.replace(/(.{4})/, "$1 ");
  tell("officer-until", say("visit.officer_until", { time: timeOf(told.valid_until) }));
  by("officer-show").hidden = false;
}

function offerErase(isOffered) {
  by("erase-sure").hidden = !isOffered;
  by("erase-ask").hidden = isOffered;
  by(isOffered ? "erase-not" : "erase-ask").focus();
}

async function erase() {
  const told = await postSigned(await read("device"), "/visitor/erase");
  await alone("chain", forget);
  offerErase(false);
  tell("erased-due", told.due_at ? say("visit.erased_due", { day: dayOf(told.due_at) }) : "");
  show("erased");
}

/** The server does not know this device any more: claim again, and sign again what waits. */
function beginAnew() {
  return alone("chain", async () => {
    for (const scan of await readAll("scans")) {
      if (scan.state === "waiting") await put({ scans: { ...scan, signature: "" } });
    }
    await remove("device");
  });
}
