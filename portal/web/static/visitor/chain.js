/* The phone's key and the chain of what it signed: each scan over its number, time, token and the one before. */

const KIND = { name: "ECDSA", namedCurve: "P-256" };
const HOW = { name: "ECDSA", hash: "SHA-256" };
const UTF8 = new TextEncoder();

/** Return the pair of keys of a new device; the private half never leaves the browser, not even towards this page. */
export function makeKeys() {
  return crypto.subtle.generateKey(KIND, false, ["sign", "verify"]);
}

/** Return the public half, as the server wants it. */
export async function publicKeyOf(keys) {
  return base64(await crypto.subtle.exportKey("spki", keys.publicKey));
}

/** Return what is known of a device before it signs its first scan; it is kept under `id`. */
export function newDevice(id, deviceId, keys, name) {
  return { id, since: Date.now(), deviceId, keys, name, proven: false, seq: 0, prev: "0".repeat(64) };
}

/** Return the device after it signed a scan, and the scan with its number, what came before, and the signature. */
export async function link(device, scan) {
  const seq = device.seq + 1;
  const parts = ["v1", device.deviceId, seq, scan.at, scan.token, device.prev, ...(scan.left ? ["left"] : [])];
  const text = parts.join("|");
  const signature = await sign(device, text);
  return [{ ...device, seq, prev: await digest(text) }, { ...scan, seq, prev: device.prev, signature }];
}

/** Return what proves that a request is the device's own. */
export async function proof(device, path, code) {
  const sent_at = new Date().toISOString();
  const text = ["v1", device.deviceId, path, sent_at, await digest(code)].join("|");
  return { sent_at, signature: await sign(device, text) };
}

async function sign(device, text) {
  return base64(await crypto.subtle.sign(HOW, device.keys.privateKey, UTF8.encode(text)));
}

async function digest(text) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", UTF8.encode(text)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function base64(buffer) {
  return btoa(String.fromCharCode(...new Uint8Array(buffer)));
}
