/* What the page says, in its language: the server put the words into the page. Times are the phone's own. */

const language = document.documentElement.lang;

const words = JSON.parse(document.getElementById("app").dataset.words);
const locale = language === "id" ? "id-ID" : "en-GB";
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric" });

/** Return the words of a key; `{name}` in them is filled from `values`. */
export function say(key, values = {}) {
  return words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Return the time of an instant. */
export function timeOf(at) {
  return clock.format(new Date(at));
}

/** Return the day of an instant. */
export function dayOf(at) {
  return day.format(new Date(at));
}
