/* Who is kept on this phone: a family may share one. Each has a name, a key and a chain of his own: a device of his own
   for the server. The first is the phone's owner. */

import { alone, put, read, readAll } from "./store.js";

export const MOST = 8; // of one household: what the server believes of one telephone in a day
export const OWNER = "me"; // what he is kept under

/** Return everybody, the phone's owner first. */
export async function people() {
  const all = (await readAll("device")).map((person) => ({ id: OWNER, since: 0, ...person }));
  return all.sort((one, other) => one.since - other.since);
}

/** Change what is kept of somebody; return him, undefined if he is not kept any more. */
export function change(id, changed) {
  return alone("chain", async () => {
    const person = await read("device", id);
    if (!person) return undefined;
    const then = { ...person, id, ...changed };
    await put({ device: then });
    return then;
  });
}

/** Return everybody with his own scans; what was scanned before anybody said who he is, is the owner's. */
export function withScans(all, scans) {
  const [owner = { id: "" }] = all;
  return [owner, ...all.slice(1)].map((person) => ({
    person,
    scans: scans.filter(({ who }) => (who || owner.id) === person.id),
  }));
}
