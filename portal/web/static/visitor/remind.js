/* Reminds of checking out once people have usually left: while the page is open, else at its next opening. */

import { say } from "./words.js";

const ICON = "/static/icon.svg";
const LONGEST_MS = 2 ** 31 - 1; // a timer cannot wait longer
let timer = 0;

/** Ask for leave to notify; says whether it was given. */
export async function askLeave() {
  return (await Notification.requestPermission()) === "granted";
}

/** Remind at the first end of an assumed stay that is still to come, and of nothing else. */
export function remindAt(visits) {
  clearTimeout(timer);
  const [next] = visits.filter(({ end }) => end > Date.now()).sort((one, other) => one.end - other.end);
  const wait = (next?.end ?? Infinity) - Date.now();
  if (wait < LONGEST_MS) timer = setTimeout(() => remind(next), wait);
}

/** There is nothing to be reminded of; what is on the screen goes too. */
export async function forgetReminder() {
  clearTimeout(timer);
  const registration = await navigator.serviceWorker?.getRegistration("/q");
  for (const shown of (await registration?.getNotifications?.()) ?? []) shown.close();
}

async function remind(visit) {
  dispatchEvent(new Event("overdue"));
  if (globalThis.Notification?.permission !== "granted") return;
  const registration = await navigator.serviceWorker?.getRegistration("/q");
  const body = say("visit.overdue", { place: visit.place });
  await registration?.showNotification(say("visit.remind"), { body, icon: ICON, tag: "visit" });
}
