/* What a NIK says of itself, checked before it is sent: which part cannot be. The server checks it again. */

const WOMEN_DAY_OFFSET = 40;
const CENTURIES = [1900, 2000];

/** Return the key of the words that say what is wrong with a NIK; empty if nothing is, as far as a phone can tell. */
export function faultOfNik(text) {
  if (!/^[0-9]{16}$/.test(text)) return "visit.nik_digits";
  const [day, month, year] = [6, 8, 10].map((at) => Number(text.slice(at, at + 2)));
  if (!isBirthDate(day, month, year)) return "visit.nik_date";
  return text.endsWith("0000") ? "visit.nik_serial" : "";
}

function isBirthDate(day, month, year) {
  const real = day > WOMEN_DAY_OFFSET ? day - WOMEN_DAY_OFFSET : day;
  return CENTURIES.some((century) => isDate(century + year, month, real));
}

function isDate(year, month, day) {
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day && day > 0;
}
