/* The one way to the server: JSON below /visitor/. No other address is ever asked. */

import { proof } from "./chain.js";

const PATIENCE_MS = 8000;
const CLOCK_MS = 4 * 60_000; // a signed request is good for five minutes either way

/** The server was not reached, or cannot answer now, or was asked too often: try again later. */
export class NoSignal extends Error {
  constructor(isTooOften = false) {
    super();
    this.isTooOften = isTooOften;
  }
}

/** The server said no: `status`, and of its body `field`, `reason` and `why`. 403: it does not know this device. */
export class Refused extends Error {
  constructor(status, body) {
    super(body.reason);
    Object.assign(this, { status, field: body.field ?? "", reason: body.reason ?? "", why: body.why ?? "" });
  }
}

/** How far this phone's clock is from the server's, in ms; 0 while that is little or not known. */
export let clockError = 0;

/** Send JSON; return the answer. */
export async function post(path, body) {
  if (navigator.onLine === false) throw new NoSignal();
  const answer = await ask(path, body);
  noteClock(answer.headers.get("date"));
  if (answer.status >= 500 || answer.status === 429) throw new NoSignal(answer.status === 429);
  const told = await answer.json().catch(() => {
    throw new NoSignal(); // something between us and the server answered
  });
  if (!answer.ok) throw new Refused(answer.status, told);
  return told;
}

/** Send a request that only this device may make. */
export async function postSigned(device, path, code = "") {
  const body = { device_id: device.deviceId, signed: await proof(device, path, code) };
  return post(path, code ? { ...body, code } : body);
}

async function ask(path, body) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), PATIENCE_MS);
  const headers = { "content-type": "application/json", accept: "application/json" };
  try {
    return await fetch(path, { method: "POST", headers, body: JSON.stringify(body), signal: stop.signal });
  } catch {
    throw new NoSignal();
  } finally {
    clearTimeout(timer);
  }
}

function noteClock(date) {
  const error = date ? Date.now() - Date.parse(date) : 0;
  clockError = Math.abs(error) > CLOCK_MS ? error : 0;
}
