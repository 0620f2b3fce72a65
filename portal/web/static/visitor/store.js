/* What this phone keeps, and nobody else: its identity with the key, its scans, the places it has seen. IndexedDB. */

const NAME = "jejak";
const SHELVES = { device: "me", scans: null, places: null }; // a shelf with one thing has its key here
let opening = null;

/** Return what lies on a shelf under a key; undefined if nothing does. */
export function read(shelf, key = SHELVES[shelf]) {
  return ask(shelf, "readonly", (on) => on.get(key));
}

/** Return everything on a shelf. */
export function readAll(shelf) {
  return ask(shelf, "readonly", (on) => on.getAll());
}

/** Put things on their shelves (`{shelf: thing}`), all or none, in place of what had their keys. */
export function put(things) {
  const shelves = Object.keys(things);
  return ask(shelves, "readwrite", (...on) => {
    return shelves.map((shelf, place) => on[place].put(things[shelf], SHELVES[shelf] ?? things[shelf].id))[0];
  });
}

/** Take a thing away. */
export function remove(shelf, key = SHELVES[shelf]) {
  return ask(shelf, "readwrite", (on) => on.delete(key));
}

/** Forget everything. */
export function forget() {
  return ask(Object.keys(SHELVES), "readwrite", (...on) => on.map((shelf) => shelf.clear())[0]);
}

/** Run `work` while no other page of ours, nor the one in the background, does the same. */
export function alone(name, work) {
  return navigator.locks ? navigator.locks.request(`jejak-${name}`, work) : work();
}

async function ask(shelves, mode, question) {
  const database = await (opening ??= open());
  return new Promise((done, fail) => {
    const deed = database.transaction(shelves, mode);
    const asked = question(...[shelves].flat().map((shelf) => deed.objectStore(shelf)));
    deed.oncomplete = () => done(asked.result);
    deed.onabort = () => fail(deed.error);
  });
}

function open() {
  return new Promise((done, fail) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => Object.keys(SHELVES).forEach((shelf) => asked.result.createObjectStore(shelf));
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => fail(asked.error);
  });
}
