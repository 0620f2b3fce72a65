/* The page's beginning: which view the address asks for, what buttons do, what happens when signal comes back. */

import { openClaim, prepareClaim } from "./claim.js";
import { checkOut, fillResult, openGate, prepareGate } from "./gate.js";
import { fillHistory, fillHome, showHistory, showHome } from "./home.js";
import { prepareMe, showMe } from "./me.js";
import { people, withScans } from "./people.js";
import { askLeave, forgetReminder } from "./remind.js";
import { closeScan, openScan, prepareScan } from "./scan.js";
import { send, signWaiting, whenSent } from "./scans.js";
import { readAll } from "./store.js";
import { busy, by, tell } from "./views.js";
import { openVisit } from "./visits.js";
import { say } from "./words.js";

const HOME = "/q";
const VIEWS = {
  "#pindai": () => openScan(openPoster),
  "#riwayat": showHistory,
  "#data-saya": openMe,
  "#isi-data": () => openClaim(),
};

/** Show what the address asks for; `isRead` says that a poster was read just now, not come back to. */
async function route(isRead = false) {
  closeScan();
  const view = VIEWS[location.hash];
  if (view) return view();
  if (!tokenHere()) return showHome();
  if (!(await openGate(tokenHere(), isRead))) await openClaim();
}

function tokenHere() {
  return location.pathname.slice(HOME.length + 1);
}

function go(address, isRead) {
  history.pushState(null, "", address);
  return route(isRead);
}

const goHome = () => go(HOME);
const openPoster = (token) => go(`/q/${token}`, true);

async function openMe() {
  if (!(await showMe())) await openClaim();
}

/** Go on after somebody was claimed: who brought another along to a gate is in front of it again. */
async function goOn() {
  const isGate = !location.hash || (tokenHere() && (await people()).length > 1);
  return isGate ? go(location.pathname) : goHome();
}

async function leave(who) {
  const all = withScans(await people(), await readAll("scans"));
  const visit = openVisit(all.find(({ person }) => person.id === who)?.scans ?? []);
  await forgetReminder();
  if (visit) await checkOut(visit, who);
}

async function sendNow() {
  await signWaiting();
  await send().catch(() => undefined); // the next signal, or the next opening, tries again
}

async function comeBack() {
  if (location.hash === "#pindai") await route();
  await sendNow();
  await fillHome();
}

async function refill() {
  await Promise.all([fillHome(), fillHistory(), fillResult()]);
}

/** The worker keeps the page for times without signal; browsers that know no modules there do without background. */
function keepOffline() {
  const where = { scope: HOME };
  const { serviceWorker } = navigator;
  const whole = serviceWorker?.register("/visitor/background.js", { ...where, type: "module" });
  whole?.catch(() => serviceWorker.register("/visitor/sw.js", where)).catch(() => undefined); // then without
}

function prepare() {
  prepareGate(goHome);
  prepareClaim(goOn);
  prepareMe(() => location.assign(HOME)); // a new page remembers nothing
  prepareScan(openPoster);
  by("home-visits").addEventListener("click", ({ target }) => {
    if (target.matches("button")) busy(target, () => leave(target.value));
  });
  by("result-remind").addEventListener("click", async () => {
    tell("result-reminded", say((await askLeave()) ? "visit.will_remind" : "visit.remind_here"));
    by("result-remind").hidden = true;
  });
  addEventListener("popstate", () => route());
  addEventListener("overdue", fillHome);
  addEventListener("online", sendNow);
  document.addEventListener("visibilitychange", () => (document.hidden ? closeScan() : comeBack()));
  whenSent(refill);
}

/** Why this browser cannot keep an identity: the key of the words; empty if it can. */
async function hindrance() {
  if (!globalThis.isSecureContext) return "visit.insecure";
  if (!globalThis.indexedDB) return "visit.no_storage";
  return readAll("scans").then(
    () => "",
    () => "visit.no_storage", // some browsers' private windows
  );
}

const why = await hindrance();
if (why) {
  by("plain-why").textContent = say(why);
} else {
  for (const kind of ["error", "unhandledrejection"]) addEventListener(kind, () => tell("wrong", say("visit.went_wrong")));
  prepare();
  await route(performance.getEntriesByType("navigation")[0]?.type === "navigate");
  keepOffline();
  await sendNow();
}
