/* The app's first view and the history: where one is, what waits to be sent, and every visit this phone remembers. */

import { clockError } from "./api.js";
import { people, withScans } from "./people.js";
import { remindAt } from "./remind.js";
import { readAll } from "./store.js";
import { by, copyOf, show, tell } from "./views.js";
import { isOverdue, openVisit, visitsOf } from "./visits.js";
import { dayOf, say, timeOf } from "./words.js";

/** Show where one is and what one can do. */
export async function showHome() {
  await fillHome();
  show("home");
}

/** Say anew what the first view says. */
export async function fillHome() {
  const [all, scans] = await Promise.all([people(), readAll("scans")]);
  const open = withScans(all, scans)
    .map(({ person, scans: own }) => ({ person, visit: openVisit(own) }))
    .filter(({ visit }) => visit);
  by("home-visits").replaceChildren(...open.map((one) => card(one, all.length > 1)));
  remindAt(open.map(({ visit }) => visit));
  const late = open.find(({ visit }) => isOverdue(visit, Date.now()));
  tell("home-remind", late ? say("visit.overdue", { place: late.visit.place }) : "");
  const waiting = scans.filter((scan) => scan.state === "waiting").length;
  const key = all.length ? "visit.waiting" : "visit.waiting_unsigned";
  tell("home-waiting", waiting ? say(key, { number: waiting }) : "");
  tell("home-clock", clockError ? say("visit.clock", { minutes: Math.round(Math.abs(clockError) / 60_000) }) : "");
  by("home-who").textContent = all.length ? all.map(who).join(" ") : say("visit.who_nobody");
}

function card({ person, visit }, isNamed) {
  const item = copyOf("home-visit");
  item.querySelector("[data-place]").textContent = visit.place;
  const since = say("visit.since", { day: dayOf(visit.from), time: timeOf(visit.from) });
  item.querySelector("[data-since]").textContent = isNamed ? `${person.name} · ${since}` : since;
  const button = item.querySelector("button");
  button.value = person.id;
  if (isNamed) button.textContent = `${button.textContent}: ${person.name}`;
  return item;
}

function who({ name, proven, isLost }) {
  if (isLost) return say("visit.unknown_device");
  return say(proven ? "visit.who_proven" : "visit.who_unproven", { name });
}

/** Show the history. */
export async function showHistory() {
  await fillHistory();
  show("riwayat");
}

/** Say the history anew. */
export async function fillHistory() {
  const all = await people();
  const visits = withScans(all, await readAll("scans")).flatMap(({ person, scans }) =>
    visitsOf(scans).map((visit) => ({ ...visit, name: all.length > 1 ? person.name : "" })),
  );
  visits.sort((one, other) => (other.from ?? other.until) - (one.from ?? one.until));
  by("history-none").hidden = visits.length > 0;
  by("history-list").replaceChildren(...visits.map(entry));
}

function entry(visit) {
  const item = document.createElement("li");
  item.className = "card";
  item.append(line("h2", visit.place), line("p", times(visit)));
  if (visit.name) item.append(line("p", visit.name));
  if (visit.zones.length) item.append(line("p", [...new Set(visit.zones)].join(", ")));
  const waiting = visit.scans.filter((scan) => scan.state === "waiting").length;
  if (waiting) item.append(line("p", say("visit.waiting", { number: waiting }), "note"));
  return item;
}

function times({ from, until }) {
  const day = dayOf(from ?? until);
  if (from === null) return say("visit.only_out", { day, out: timeOf(until) });
  if (until === null) return say("visit.only_in", { day, in: timeOf(from) });
  return say("visit.in_out", { day, in: timeOf(from), out: timeOf(until) });
}

function line(tag, text, className = "") {
  return Object.assign(document.createElement(tag), { textContent: text, className });
}
