/* What an officer entered: the part that the gate has not got yet, for a week at most, and the rest of the day's. Sealed.

The key comes with the page, for this account alone, cannot be read out again and is never stored. What lies on the disk
of a shared computer opens to nobody but who signs in once more as the same officer; signing out removes it. */

const DATABASE = "jejak-officer", STORE = "entries";
const DAY_MS = 24 * 3600 * 1000, KEPT_MS = { waiting: 7 * DAY_MS }; // all others: a day

const answered = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

/** Records in the browser's database; in memory where there is none. */
class Records {
  static async open() {
    const records = new Records();
    records.memory = new Map();
    try {
      const request = indexedDB.open(DATABASE, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
      records.database = await answered(request);
    } catch {
      records.database = null;
    }
    return records;
  }

  #store(mode) {
    return this.database.transaction(STORE, mode).objectStore(STORE);
  }

  async all() {
    return this.database ? answered(this.#store("readonly").getAll()) : [...this.memory.values()];
  }

  async put(record) {
    if (this.database) await answered(this.#store("readwrite").put(record));
    else this.memory.set(record.id, record);
  }

  async remove(id) {
    if (this.database) await answered(this.#store("readwrite").delete(id));
    else this.memory.delete(id);
  }
}

export class Queue {
  /** Open the queue of an account; `keyText` is 32 bytes in base64. */
  static async open(account, keyText) {
    const queue = new Queue();
    queue.account = account;
    const bytes = Uint8Array.from(atob(keyText), (letter) => letter.charCodeAt(0));
    queue.key = await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
    queue.records = await Records.open();
    return queue;
  }

  /** Say whether what is added outlives the page. */
  get isKept() {
    return this.records.database !== null;
  }

  /** Keep an entry, to be sent; `name` stays here. */
  async add(entry, name, facility) {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const clear = new TextEncoder().encode(JSON.stringify({ entry, name }));
    const sealed = await crypto.subtle.encrypt(this.#bound(entry.scan_id, iv), this.key, clear);
    await this.records.put({
      id: entry.scan_id, account: this.account, facility, made: Date.now(), state: "waiting", field: "", left: false, iv, sealed,
    });
  }

  /** Return this account's entries, the first first; `unreadable` counts those that were sealed with another key. */
  async list() {
    const own = (await this.records.all()).filter((record) => record.account === this.account);
    const found = [];
    let unreadable = 0;
    for (const { iv, sealed, ...record } of own) {
      try {
        const clear = await crypto.subtle.decrypt(this.#bound(record.id, iv), this.key, sealed);
        found.push({ ...record, ...JSON.parse(new TextDecoder().decode(clear)) });
      } catch {
        unreadable += 1;
      }
    }
    found.sort((one, other) => (one.id < other.id ? -1 : 1));
    return { found, unreadable };
  }

  /** Note what became of an entry. */
  async change(id, changed) {
    const record = (await this.records.all()).find((one) => one.id === id);
    if (record) await this.records.put({ ...record, ...changed });
  }

  /** Remove what is old, of every account; return how many of this one were never sent. */
  async forgetOld() {
    const old = (await this.records.all()).filter((record) => Date.now() - record.made > (KEPT_MS[record.state] ?? DAY_MS));
    for (const record of old) await this.records.remove(record.id);
    return old.filter((record) => record.account === this.account && record.state === "waiting").length;
  }

  #bound(id, iv) {
    return { name: "AES-GCM", iv, additionalData: new TextEncoder().encode(`${this.account}|${id}`) };
  }
}

/** Return how many entries of an account were not sent yet. */
export async function unsentOf(account) {
  const records = await Records.open();
  return (await records.all()).filter((record) => record.account === account && record.state === "waiting").length;
}

/** Remove everything of an account. */
export async function removeAllOf(account) {
  const records = await Records.open();
  for (const record of await records.all()) if (record.account === account) await records.remove(record.id);
}
