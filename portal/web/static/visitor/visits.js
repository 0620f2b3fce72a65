/* From scans to visits, as this phone tells them. Pure: the same words as the server's, made simple. */

const REPEAT_MS = 10 * 60_000; // people scan twice
const MINUTE_MS = 60_000;

/**
 * Return the visits of some scans, the latest first: `{facility, place, from, until, zones, scans, end}`.
 *
 * `until` is null while nothing has ended the visit; `end` is when it is assumed to end without a scan.
 */
export function visitsOf(scans) {
  const visits = [];
  for (const scan of [...scans].filter((one) => one.state !== "refused").sort(byTime)) {
    const open = visits[0]?.until === null ? visits[0] : null;
    const here = open?.facility === scan.facility ? open : null;
    if (isExitAgain(visits[0], scan)) continue;
    if (scan.kind === "exit") leave(visits, open, here, scan);
    else if (here && (scan.kind === "zone" || isRepeat(here, scan))) stay(here, scan);
    else enter(visits, open, scan);
  }
  return visits;
}

/** Return the visit that nothing has ended yet, if there is one. What a wrong clock put into the future is none now. */
export function openVisit(scans) {
  const [latest] = visitsOf(scans.filter((scan) => Date.parse(scan.at) <= Date.now()));
  return latest?.until === null ? latest : null;
}

/** Say whether a visit has lasted longer than people usually stay in such a place. */
export function isOverdue(visit, now) {
  return visit.until === null && now > visit.end;
}

function enter(visits, open, scan) {
  close(open, scan);
  const { facility, place, stay: minutes = 0 } = scan;
  const from = Date.parse(scan.at);
  visits.unshift({ facility, place, from, until: null, zones: [], scans: [], end: from + minutes * MINUTE_MS });
  stay(visits[0], scan);
}

function leave(visits, open, here, scan) {
  if (!here) close(open, scan);
  const at = Date.parse(scan.at);
  const visit = here ?? { facility: scan.facility, place: scan.place, from: null, zones: [], scans: [], end: at };
  if (!here) visits.unshift(visit);
  visit.until = at;
  visit.scans.push(scan);
}

function stay(visit, scan) {
  visit.scans.push(scan);
  visit.end = Math.max(visit.end, Date.parse(scan.at));
  if (scan.zone) visit.zones.push(scan.zone);
}

function close(open, scan) {
  if (open) open.until = Math.min(open.end, Date.parse(scan.at));
}

function isExitAgain(visit, scan) {
  const last = visit?.scans.at(-1);
  return scan.kind === "exit" && last?.kind === "exit" && last.facility === scan.facility && isRepeat(visit, scan);
}

function isRepeat(visit, scan) {
  return Date.parse(scan.at) - Date.parse(visit.scans.at(-1).at) <= REPEAT_MS;
}

function byTime(one, other) {
  return Date.parse(one.at) - Date.parse(other.at);
}
