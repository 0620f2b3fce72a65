/* The page's beginning: which view the address asks for, what buttons do, what happens when signal comes back. */

import { prepareClaim } from "./claim.js";
import { checkOut, fillResult, openGate, prepareGate } from "./gate.js";
import { fillHistory, fillHome, showHistory, showHome } from "./home.js";
import { prepareMe, showMe } from "./me.js";
import { askLeave, forgetReminder } from "./remind.js";
import { closeScan, openScan, prepareScan } from "./scan.js";
import { send, signWaiting, whenSent } from "./scans.js";
import { readAll } from "./store.js";
import { busy, by, show, tell } from "./views.js";
import { openVisit } from "./visits.js";
import { say } from "./words.js";

const HOME = "/q";
const VIEWS = {
  "#pindai": () => openScan(openPoster),
  "#riwayat": showHistory,
  "#data-saya": openMe,
  "#isi-data": () => show("claim"),
};

/** Show what the address asks for; `isRead` says that a poster was read just now, not come back to. */
async function route(isRead = false) {
  closeScan();
  const token = location.pathname.slice(HOME.length + 1);
  const view = VIEWS[location.hash];
  if (view) return view();
  if (!token) return showHome();
  if (!(await openGate(token, isRead))) show("claim");
}

function go(address, isRead) {
  history.pushState(null, "", address);
  return route(isRead);
}

const goHome = () => go(HOME);
const openPoster = (token) => go(`/q/${token}`, true);

async function openMe() {
  if (!(await showMe())) show("claim");
}

async function leave() {
  const visit = openVisit(await readAll("scans"));
  forgetReminder();
  if (visit) await checkOut(visit);
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
  whole?.catch(() => serviceWorker.register("/visitor/sw.js", where));
}

function prepare() {
  prepareGate(goHome);
  prepareClaim(() => (location.hash ? goHome() : route()));
  prepareMe(goHome);
  prepareScan(openPoster);
  by("home-leave").addEventListener("click", () => busy(by("home-leave"), leave));
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

if (globalThis.isSecureContext && globalThis.indexedDB) {
  prepare();
  await route(performance.getEntriesByType("navigation")[0]?.type === "navigate");
  keepOffline();
  await sendNow();
} else {
  by("plain-why").textContent = say("visit.insecure");
}
