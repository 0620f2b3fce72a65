/* Reminds of checking out once people have usually left: while the page is open, else at its next opening. */

import { say } from "./words.js";

const ICON = "/static/icon.svg";
const LONGEST_MS = 2 ** 31 - 1; // a timer cannot wait longer
let timer = 0;

/** Ask for leave to notify; says whether it was given. */
export async function askLeave() {
  return (await Notification.requestPermission()) === "granted";
}

/** Remind at the end of the assumed stay of a visit, if that is still to come. */
export function remindAt(visit) {
  clearTimeout(timer);
  const wait = visit.end - Date.now();
  if (wait > 0 && wait < LONGEST_MS) timer = setTimeout(() => remind(visit), wait);
}

/** There is nothing to be reminded of. */
export function forgetReminder() {
  clearTimeout(timer);
}

async function remind(visit) {
  dispatchEvent(new Event("overdue"));
  if (globalThis.Notification?.permission !== "granted") return;
  const registration = await navigator.serviceWorker.getRegistration("/q");
  const body = say("visit.overdue", { place: visit.place });
  await registration?.showNotification(say("visit.remind"), { body, icon: ICON, tag: "visit" });
}
