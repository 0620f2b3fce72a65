/* What was scanned: kept first, signed in order, sent when there is signal. Page and background use it alike. */

import { Refused, post } from "./api.js";
import { link } from "./chain.js";
import { alone, put, read, readAll, remove } from "./store.js";

const AT_ONCE = 100;
const KEPT_MS = 60 * 24 * 3600_000; // as long as the server keeps scans
const NEWS = new BroadcastChannel("jejak"); // to the other pages, and from the background
const listeners = [];

/**
 * Keep a scan, with the instant at which it was read; it is signed at once where there is an identity.
 *
 * `scan` has token, at, kind, facility, place, zone, stay (minutes), and left for a check-out by button.
 */
export async function keep(scan) {
  const kept = { ...scan, id: uuid7(), state: "waiting" };
  await put({ scans: kept });
  await signWaiting();
  return kept.id;
}

/** Sign what was scanned before there was an identity, in the order in which it was read. */
export function signWaiting() {
  return alone("chain", async () => {
    let device = await read("device");
    if (!device) return;
    const unsigned = (await readAll("scans")).filter((scan) => !scan.signature);
    for (const scan of unsigned.sort((one, other) => (one.at < other.at ? -1 : 1))) {
      const [then, signed] = await link(device, scan);
      await put({ device: then, scans: signed }); // both or none: no number is given twice
      device = then;
    }
  });
}

/** Send what waits, oldest first, and note what became of each; throws where there is no signal. */
export function send() {
  return alone("send", async () => {
    const device = await read("device");
    if (!device) return;
    for (let waiting = await waitingScans(); waiting.length; waiting = await waitingScans()) {
      const body = { device_id: device.deviceId, sent_at: new Date().toISOString(), scans: waiting.map(asSent) };
      const { results } = await post("/visitor/scans", body).catch(noteLost);
      for (const [place, result] of results.entries()) {
        const state = result.status === "accepted" ? "accepted" : "refused";
        await put({ scans: { ...waiting[place], state, field: result.field } });
      }
      tellSent();
    }
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

/** A device that the server does not know any more has to claim again: what waits is signed anew then. */
async function noteLost(error) {
  if (error instanceof Refused && error.status === 403) {
    await alone("chain", async () => put({ device: { ...(await read("device")), isLost: true } }));
  }
  throw error;
}

async function waitingScans() {
  const waiting = (await readAll("scans")).filter((scan) => scan.state === "waiting" && scan.signature);
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
