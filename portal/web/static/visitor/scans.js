/* What was scanned: kept first, signed in order, sent when there is signal. Page and background use it alike. */

import { Refused, post } from "./api.js";
import { link } from "./chain.js";
import { OWNER, change, people, withScans } from "./people.js";
import { alone, put, readAll, remove } from "./store.js";

const AT_ONCE = 100;
const KEPT_MS = 60 * 24 * 3600_000; // as long as the server keeps scans
const NEWS = new BroadcastChannel("jejak"); // to the other pages, and from the background
const listeners = [];

/**
 * Keep a scan for each of some people, with the instant at which it was read; return the ids. It is signed at once
 * where there is an identity.
 *
 * `scan` has token, at, kind, facility, place, zone, stay (minutes), and left for a check-out by button.
 */
export async function keep(scan, whose) {
  const kept = whose.map((who) => ({ ...scan, who, id: uuid7(), state: "waiting" }));
  for (const one of kept) await put({ scans: one });
  await signWaiting();
  return kept.map(({ id }) => id);
}

/** Sign what was scanned before there was an identity, in the order in which it was read. */
export function signWaiting() {
  return alone("chain", async () => {
    const all = await people();
    if (!all.length) return;
    for (const { person, scans } of withScans(all, await readAll("scans"))) {
      await signAll(
        person,
        scans.filter((scan) => !scan.signature),
      );
    }
  });
}

/** What somebody lost has signed, and nobody has received, is signed again by what came in its place. */
export function signAnew(id) {
  return alone("chain", async () => {
    for (const scan of await readAll("scans")) {
      if (scan.who === id && scan.state === "waiting") await put({ scans: { ...scan, signature: "" } });
    }
  });
}

/** Send what waits, everybody's oldest first, and note what became of each; throws where there is no signal. */
export function send() {
  return alone("send", async () => {
    for (const person of await people()) await sendAll(person);
    await forgetOld();
  });
}

/** Call `work` whenever scans were sent, by whichever page or by the background. */
export function whenSent(work) {
  listeners.push(work);
  NEWS.addEventListener("message", work);
}

function tellSent() {
  listeners.forEach((work) => work());
  NEWS.postMessage("sent");
}

async function signAll(person, unsigned) {
  let device = person;
  for (const scan of unsigned.sort((one, other) => (one.at < other.at ? -1 : 1))) {
    const [then, signed] = await link(device, { ...scan, who: person.id });
    await put({ device: then, scans: signed }); // both or none: no number is given twice
    device = then;
  }
}

async function sendAll({ id, deviceId, isLost }) {
  if (isLost) return; // he has to say anew who he is
  for (let waiting = await waitingOf(id); waiting.length; waiting = await waitingOf(id)) {
    const body = { device_id: deviceId, sent_at: new Date().toISOString(), scans: waiting.map(asSent) };
    const told = await post("/visitor/scans", body).catch((error) => noteLost(id, error));
    if (!told) return;
    for (const [place, result] of told.results.entries()) {
      const state = result.status === "accepted" ? "accepted" : "refused";
      await put({ scans: { ...waiting[place], state, field: result.field } });
    }
    tellSent();
  }
}

/** A device that the server does not know any more has to claim again: what waits is signed anew then. */
async function noteLost(id, error) {
  if (!(error instanceof Refused && error.status === 403)) throw error;
  await change(id, { isLost: true });
}

async function waitingOf(id) {
  const scans = await readAll("scans");
  const waiting = scans.filter(({ who = OWNER, state, signature }) => who === id && state === "waiting" && signature);
  return waiting.sort((one, other) => one.seq - other.seq).slice(0, AT_ONCE);
}

function asSent({ id, seq, at, token, prev, signature, left = false }) {
  return { scan_id: id, seq, at, token, prev, signature, left };
}

async function forgetOld() {
  const oldest = Date.now() - KEPT_MS;
  const old = (await readAll("scans")).filter((scan) => scan.state !== "waiting" && Date.parse(scan.at) < oldest);
  for (const scan of old) await remove("scans", scan.id);
}

function uuid7() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  for (let place = 0, ms = Date.now(); place < 6; place += 1) bytes[place] = Math.floor(ms / 256 ** (5 - place)) % 256;
  bytes[6] = 0x70 | (bytes[6] & 0x0f);
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
