/* In front of a gate: which place, how crowded, one's own colour; then a press of the button, and what became of it. */

import { NoSignal, Refused, postSigned } from "./api.js";
import { tokenOf } from "./camera.js";
import { askPlace, recallPlace } from "./place.js";
import { keep, send } from "./scans.js";
import { read, readAll } from "./store.js";
import { by, busy, show, tell } from "./views.js";
import { say, timeOf } from "./words.js";

// A page left open says nothing of who stands at the door now; the form of the first use takes some minutes.
const STALE_MS = 15 * 60_000;
let here = null; // what is in front of us: the place, the token, and the instant at which it was read

/** Show the gate of a token, read just now or come back to; says false where an identity is needed first. */
export async function openGate(token, isRead) {
  const device = await read("device");
  here = { token, at: readingOf(token, isRead) };
  const [place, doubt] = await placeOf(token, here.at);
  if (!device && place.fullness !== undefined) return false; // there is signal: one claims first
  Object.assign(here, place);
  describe(place, doubt);
  showCrowd(place);
  await showColour(device);
  show("gate");
  return true;
}

/** Let the buttons of the gate and of its result work. */
export function prepareGate(goHome) {
  by("gate-confirm").addEventListener("click", () => busy(by("gate-confirm"), confirm));
  by("gate-again").addEventListener("click", goHome);
}

/** Check out of a visit by button, with the token by which the person came in or last moved. */
export async function checkOut(visit) {
  const last = visit.scans.at(-1);
  const at = new Date().toISOString();
  await showResult(await keep({ ...placeIn(last), token: last.token, at, kind: "exit", zone: "", left: true }));
}

/** The instant at which a poster was read: reloading a page, or going back to it, reads nothing. */
function readingOf(token, isRead) {
  const before = isRead ? null : sessionStorage.getItem(token);
  const at = before ?? new Date().toISOString();
  sessionStorage.setItem(token, at);
  return at;
}

async function placeOf(token, at) {
  if (!tokenOf(token)) return [{ kind: "entrance" }, "unreadable"];
  try {
    return [await askPlace(token, at), ""];
  } catch (error) {
    const why = error instanceof Refused ? error.why || "unreadable" : "";
    if (!(error instanceof Refused || error instanceof NoSignal)) throw error;
    return [await recallPlace(token), why || "offline"];
  }
}

function describe({ kind, place, gate, zone }, doubt) {
  const isPoster = !["unreadable", "unknown", "not_yet"].includes(doubt);
  by("gate-way").hidden = !isPoster;
  by("gate-way").className = `way ${kind}`;
  by("gate-way").textContent = say(`visit.way_${kind}`);
  by("gate-place").textContent = isPoster ? place : say("visit.no_poster");
  tell("gate-name", isPoster ? [...new Set([gate, zone])].filter(Boolean).join(" · ") : "");
  tell("gate-note", doubt ? say(`visit.gate_${doubt}`) : "");
  by("gate-confirm").hidden = !isPoster;
  by("gate-confirm").textContent = say(doubt === "revoked" ? "visit.keep_anyway" : `visit.press_${kind}`);
  by("gate-facts").hidden = !isPoster;
}

function showCrowd({ crowd, fullness }) {
  const band = crowd?.replace("-", "–");
  by("gate-crowd").textContent = band ? say("visit.crowd", { band }) : say("visit.crowd_unknown");
  by("gate-fullness").hidden = !fullness;
  by("gate-fullness").textContent = fullness ? say(`visit.full_${fullness}`) : "";
  by("gate-fullness").className = `state ${{ quiet: "good", busy: "warn", full: "bad" }[fullness] ?? ""}`;
}

async function showColour(device) {
  const { proven, colour } = await colourOf(device);
  by("gate-colour").className = `state colour ${colour ?? ""}`;
  const without = proven ? "visit.colour_unknown" : "visit.unproven";
  by("gate-colour").textContent = say(colour ? `visit.colour_${colour}` : without);
  by("gate-prove").hidden = proven;
  tell("gate-advice", colour === "red" || colour === "black" ? say("visit.advice") : "");
}

async function colourOf(device) {
  if (!device?.proven) return { proven: false };
  return postSigned(device, "/visitor/me").catch(() => ({ proven: true }));
}

async function confirm() {
  const isOvertaken = (await readAll("scans")).some((scan) => scan.at > here.at);
  if (isOvertaken || Date.now() - Date.parse(here.at) > STALE_MS) {
    tell("gate-note", say("visit.gate_stale"));
    by("gate-confirm").hidden = true;
    return;
  }
  const { token, at, kind, zone } = here;
  await showResult(await keep({ ...placeIn(here), token, at, kind, zone }));
}

function placeIn({ facility, place, gate, stay }) {
  return { facility, place, gate, stay };
}

async function showResult(id) {
  await send().catch(later);
  await fillResult(id);
  show("result");
}

/** Say what became of a scan, or of the last one shown, as far as is known now. */
export async function fillResult(id = by("result").dataset.scan) {
  const scan = (await readAll("scans")).find((one) => one.id === id);
  if (!scan) return;
  by("result").dataset.scan = id;
  by("result-way").className = `way ${scan.kind}`;
  by("result-way").textContent = say(`visit.way_${scan.kind}`);
  by("result-title").textContent = say(scan.state === "refused" ? "visit.refused" : `visit.done_${scan.kind}`);
  by("result-what").textContent = `${scan.place} · ${timeOf(scan.at)}`;
  by("result-state").className = { accepted: "ok", waiting: "note", refused: "alert" }[scan.state];
  by("result-state").textContent = say(scan.signature ? `visit.state_${scan.state}` : "visit.state_unsigned");
  by("result-claim").hidden = Boolean(scan.signature);
  by("result-remind").hidden = scan.kind === "exit" || scan.state === "refused" || !("Notification" in globalThis);
}

/** Ask the browser to send as soon as there is signal, also when this page is closed. */
async function later(error) {
  if (!(error instanceof NoSignal || error instanceof Refused)) throw error;
  const registration = await navigator.serviceWorker?.getRegistration("/q");
  await registration?.sync?.register("scans").catch(() => undefined);
}
