/* What this phone keeps, and nobody else: who uses it with which key, scans, the places seen. IndexedDB. */

const NAME = "jejak";
const SHELVES = ["device", "scans", "places"]; // of things with an id; a device is somebody with his key
let opening = null;

/** Return what lies on a shelf under an id; undefined if nothing does. */
export function read(shelf, id) {
  return ask(shelf, "readonly", (on) => on.get(id));
}

/** Return everything on a shelf. */
export function readAll(shelf) {
  return ask(shelf, "readonly", (on) => on.getAll());
}

/** Put things on their shelves (`{shelf: thing}`), all or none, in place of what had their ids. */
export function put(things) {
  const shelves = Object.keys(things);
  return ask(shelves, "readwrite", (...on) => {
    return shelves.map((shelf, place) => on[place].put(things[shelf], things[shelf].id))[0];
  });
}

/** Take a thing away. */
export function remove(shelf, id) {
  return ask(shelf, "readwrite", (on) => on.delete(id));
}

/** Forget everything. */
export function forget() {
  return ask(SHELVES, "readwrite", (...on) => on.map((shelf) => shelf.clear())[0]);
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
    asked.onupgradeneeded = () => SHELVES.forEach((shelf) => asked.result.createObjectStore(shelf));
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => fail(asked.error);
  });
}
