/* The app's first view and the history: where one is, what waits to be sent, and every visit this phone remembers. */

import { clockError } from "./api.js";
import { remindAt } from "./remind.js";
import { read, readAll } from "./store.js";
import { by, show, tell } from "./views.js";
import { isOverdue, openVisit, visitsOf } from "./visits.js";
import { dayOf, say, timeOf } from "./words.js";

/** Show where one is and what one can do. */
export async function showHome() {
  await fillHome();
  show("home");
}

/** Say anew what the first view says. */
export async function fillHome() {
  const [device, scans] = await Promise.all([read("device"), readAll("scans")]);
  const visit = openVisit(scans);
  by("home-visit").hidden = !visit;
  if (visit) {
    by("home-place").textContent = visit.place;
    by("home-since").textContent = say("visit.since", { day: dayOf(visit.from), time: timeOf(visit.from) });
    remindAt(visit);
  }
  tell("home-remind", visit && isOverdue(visit, Date.now()) ? say("visit.overdue", { place: visit.place }) : "");
  const waiting = scans.filter((scan) => scan.state === "waiting").length;
  tell("home-waiting", waiting ? say(device ? "visit.waiting" : "visit.waiting_unsigned", { number: waiting }) : "");
  tell("home-clock", clockError ? say("visit.clock", { minutes: Math.round(Math.abs(clockError) / 60_000) }) : "");
  by("home-who").textContent = who(device);
}

function who(device) {
  if (!device) return say("visit.who_nobody");
  if (device.isLost) return say("visit.unknown_device");
  return say(device.proven ? "visit.who_proven" : "visit.who_unproven", { name: device.name });
}

/** Show the history. */
export async function showHistory() {
  await fillHistory();
  show("riwayat");
}

/** Say the history anew. */
export async function fillHistory() {
  const visits = visitsOf(await readAll("scans"));
  by("history-none").hidden = visits.length > 0;
  by("history-list").replaceChildren(...visits.map(entry));
}

function entry(visit) {
  const item = document.createElement("li");
  item.className = "card";
  item.append(line("h2", visit.place), line("p", times(visit)));
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
