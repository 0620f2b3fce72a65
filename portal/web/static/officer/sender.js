/* Sends what waits, the first first, up to 20 at a time, until the gate says that it has them. Repeats change nothing. */

const TOGETHER = 20, FIRST_MS = 2000, LONGEST_MS = 60000, TIMEOUT_MS = 20000;
const WAITED_MS = 12 * 3600 * 1000; // well before a second person has to agree: clocks differ

export class Sender {
  /** `told.changed()` after every answer, `told.signedOut()` where nobody is signed in any more; `waited` says why one is late. */
  constructor(queue, facility, address, headers, waited, told) {
    Object.assign(this, { queue, facility, address, headers, waited, told, delay: FIRST_MS, busy: false, again: false, timer: 0 });
  }

  async flush() {
    if (this.busy) {
      this.again = true;
      return;
    }
    this.busy = true;
    try {
      do {
        this.again = false;
        while (await this.#sendSome());
      } while (this.again);
    } finally {
      this.busy = false;
    }
  }

  async #sendSome() {
    const { found } = await this.queue.list();
    const waiting = found.filter((one) => one.state === "waiting" && one.facility === this.facility).slice(0, TOGETHER);
    if (!waiting.length) return false;
    const answer = await this.#ask({ entries: waiting.map((one) => this.#ready(one)) });
    if (answer.status === 401 || answer.status === 403) {
      this.told.signedOut();
      return false;
    }
    if (!answer.results) return this.#later(answer.retryAfter);
    for (const [at, result] of answer.results.entries()) {
      const state = { accepted: "sent", waiting: "second", invalid: "refused" }[result.status];
      await this.queue.change(waiting[at].id, { state, field: result.field || "" });
    }
    this.delay = FIRST_MS;
    this.told.changed();
    return true;
  }

  /** What waited until a second person has to agree says so by itself: whoever entered it in time had nothing to explain. */
  #ready({ entry, made }) {
    return Date.now() - made > WAITED_MS ? { ...entry, why_late: entry.why_late || this.waited } : entry;
  }

  async #ask(body) {
    try {
      const answer = await fetch(this.address, {
        method: "POST", headers: this.headers, body: JSON.stringify(body), signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const { status } = answer;
      if (answer.ok) return { status, results: (await answer.json()).results };
      if (status === 401 || status === 403) return { status };
      if (status === 429 || status >= 500) return { status, retryAfter: Number(answer.headers.get("retry-after")) };
      return { status, results: body.entries.map(() => ({ status: "invalid", field: "body" })) };
    } catch {
      return { status: 0, retryAfter: 0 }; // no signal, or none for long enough: it is sent again
    }
  }

  #later(seconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), Math.max(seconds * 1000, this.delay));
    this.delay = Math.min(this.delay * 2, LONGEST_MS);
    return false;
  }
}
