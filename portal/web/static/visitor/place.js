/* The place behind a poster: as the server tells it, or without signal as this phone remembers it. */

import { post } from "./api.js";
import { put, read, readAll } from "./store.js";

const STAY_MINUTES = 240; // until the server has told the place's own: when to remind
const KINDS = { e: "entrance", x: "exit", z: "zone" };

/** Return the place as the server tells it, with the crowd; remember it without. */
export async function askPlace(token, at) {
  const told = await post("/visitor/gate", { token, at });
  const place = {
    id: gateOf(token),
    kind: told.gate_kind,
    facility: told.facility_id,
    place: told.facility,
    gate: told.gate_name,
    zone: told.zone_name || told.zone,
    stay: told.assumed_stay_minutes,
  };
  await put({ places: place }).catch(() => undefined); // full: its name is missing without signal, and nothing else
  return { ...place, crowd: told.crowd, fullness: told.fullness };
}

/** Return the place as far as it is known without the server: a token says its facility and its kind of gate. */
export async function recallPlace(token) {
  const [, , facility, gate] = token.split(".");
  const known = await read("places", gateOf(token));
  if (known) return known;
  const id = plain(facility);
  // another gate of the same place, or what the server put into the page before there were scripts
  const seen = [...(await readAll("places")), document.querySelector("[data-view=plain]").dataset];
  const other = seen.find((one) => one.facility === id);
  const { place = id, stay = STAY_MINUTES } = other ?? {};
  return { kind: KINDS[gate[0]], facility: id, place, gate: "", zone: "", stay };
}

function gateOf(token) {
  return token.split(".").slice(2, 4).join(".");
}

/** A facility's id as it is, also where the token has it in base64. */
function plain(facility) {
  if (!facility.startsWith("~")) return facility;
  const text = atob(facility.slice(1).replace(/-/g, "+").replace(/_/g, "/"));
  const bytes = Uint8Array.from(text, (one) => one.charCodeAt(0));
  return new TextDecoder().decode(bytes);
}
