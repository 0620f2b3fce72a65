/* In front of a gate: which place, how crowded, one's own colour, who of those on this phone comes in; then a press of
   the button, and what became of it. */

import { NoSignal, Refused, postSigned } from "./api.js";
import { tokenOf } from "./camera.js";
import { MOST, people, withScans } from "./people.js";
import { askPlace, recallPlace } from "./place.js";
import { keep, send } from "./scans.js";
import { readAll } from "./store.js";
import { by, busy, copyOf, show, tell } from "./views.js";
import { openVisit } from "./visits.js";
import { say, timeOf } from "./words.js";

// A page left open says nothing of who stands at the door now; the form of the first use takes some minutes.
const STALE_MS = 15 * 60_000;
let here = null; // what is in front of us: the place, the token, and the instant at which it was read

/** Show the gate of a token, read just now or come back to; says false where an identity is needed first. */
export async function openGate(token, isRead) {
  const all = await people();
  here = { token, at: readingOf(token, isRead) };
  const [place, doubt] = await placeOf(token, here.at);
  if (!all.length && place.fullness !== undefined) return false; // there is signal: one claims first
  Object.assign(here, place);
  describe(place, doubt);
  showCrowd(place);
  await showPeople(all);
  show("gate");
  return true;
}

/** Let the buttons of the gate and of its result work. */
export function prepareGate(goHome) {
  by("gate-confirm").addEventListener("click", () => busy(by("gate-confirm"), confirm));
  by("gate-again").addEventListener("click", goHome);
  by("gate-people").addEventListener("change", () => tell("gate-nobody", ""));
}

/** Check out of a visit by button, with the token by which the person came in or last moved. */
export async function checkOut(visit, who) {
  const last = visit.scans.at(-1);
  const at = new Date().toISOString();
  await showResult(await keep({ ...placeIn(last), token: last.token, at, kind: "exit", zone: "", left: true }, [who]));
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

/** Show the status of whoever is on this phone; where there are several, one says who of them is here. */
async function showPeople(all) {
  const statuses = await Promise.all(all.map(statusOf));
  const [own = { proven: false }] = statuses;
  showStatus(by("gate-colour"), own);
  by("gate-prove").hidden = own.proven;
  by("gate-own").hidden = all.length > 1;
  const isClosed = by("gate-confirm").hidden;
  by("gate-who").hidden = all.length < 2 || isClosed;
  by("gate-add").hidden = !all.length || all.length >= MOST || isClosed;
  const isHere = await guess(all);
  by("gate-people").replaceChildren(...all.map((person, place) => row(person, statuses[place], isHere(person))));
  const isTriage = statuses.some(({ colour }) => colour === "red" || colour === "black");
  tell("gate-advice", isTriage ? say("visit.advice") : "");
}

function row({ id, name }, status, isHere) {
  const item = copyOf("gate-person");
  const box = item.querySelector("input");
  Object.assign(box, { value: id, checked: isHere });
  item.querySelector("[data-name]").textContent = name;
  showStatus(item.querySelector(".state"), status);
  return item;
}

function showStatus(element, { proven, colour }) {
  element.className = `state colour ${colour ?? ""}`;
  const without = proven ? "visit.colour_unknown" : "visit.unproven";
  element.textContent = say(colour ? `visit.colour_${colour}` : without);
}

async function statusOf(person) {
  if (!person.proven) return { proven: false };
  return postSigned(person, "/visitor/me").catch(() => ({ proven: true }));
}

/** Say who is likely here: at an entrance the phone's owner, else whoever came in and has not left. */
async function guess(all) {
  const inside = withScans(all, await readAll("scans"))
    .filter(({ scans }) => openVisit(scans)?.facility === here.facility)
    .map(({ person }) => person.id);
  const likely = here.kind === "entrance" || !inside.length ? all.slice(0, 1).map(({ id }) => id) : inside;
  return ({ id }) => likely.includes(id);
}

async function confirm() {
  const boxes = [...by("gate-people").querySelectorAll("input")];
  const whose = boxes.length > 1 ? boxes.filter((box) => box.checked).map((box) => box.value) : [boxes[0]?.value ?? ""];
  tell("gate-nobody", whose.length ? "" : say("visit.nobody_chosen"));
  if (!whose.length) return;
  const now = new Date().toISOString(); // what is later than that, a wrong clock said
  const isOvertaken = (await readAll("scans")).some(({ at }) => at > here.at && at <= now);
  if (isOvertaken || Date.now() - Date.parse(here.at) > STALE_MS) {
    tell("gate-note", say("visit.gate_stale"));
    by("gate-confirm").hidden = true;
    return;
  }
  const { token, at, kind, zone } = here;
  await showResult(await keep({ ...placeIn(here), token, at, kind, zone }, whose));
}

function placeIn({ facility, place, gate, stay }) {
  return { facility, place, gate, stay };
}

async function showResult(ids) {
  await send().catch(later);
  await fillResult(ids);
  show("result");
}

/** Say what became of scans of one reading, or of the last ones shown, as far as is known now. */
export async function fillResult(ids = by("result").dataset.scans?.split(" ") ?? []) {
  const all = await people();
  const scans = (await readAll("scans")).filter((one) => ids.includes(one.id));
  if (!scans.length) return;
  const scan = worstOf(scans);
  by("result").dataset.scans = ids.join(" ");
  const names = all.filter(({ id }) => scans.some(({ who }) => who === id)).map(({ name }) => name);
  tell("result-who", all.length > 1 ? names.join(", ") : "");
  by("result-way").className = `way ${scan.kind}`;
  by("result-way").textContent = say(`visit.way_${scan.kind}`);
  by("result-title").textContent = say(scan.state === "refused" ? "visit.refused" : `visit.done_${scan.kind}`);
  by("result-what").textContent = `${scan.place} · ${timeOf(scan.at)}`;
  by("result-state").className = { accepted: "ok", waiting: "note", refused: "alert" }[scan.state];
  by("result-state").textContent = say(scan.signature ? `visit.state_${scan.state}` : "visit.state_unsigned");
  by("result-claim").hidden = Boolean(scan.signature);
  by("result-remind").hidden = scan.kind === "exit" || scan.state === "refused" || !("Notification" in globalThis);
}

/** Of scans of one reading what became of one became of all, but for one that was refused, or still waits. */
function worstOf(scans) {
  const rank = ({ state }) => ["refused", "waiting", "accepted"].indexOf(state);
  return scans.reduce((one, other) => (rank(other) < rank(one) ? other : one));
}

/** Ask the browser to send as soon as there is signal, also when this page is closed. */
async function later(error) {
  if (!(error instanceof NoSignal || error instanceof Refused)) throw error;
  const registration = await navigator.serviceWorker?.getRegistration("/q");
  await registration?.sync?.register("scans").catch(() => undefined);
}
