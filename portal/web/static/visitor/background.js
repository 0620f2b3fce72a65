/* The same as sw.js, and sends what waits also while no page is open, where the browser says that signal came back. */

import "/visitor/sw.js";
import { send } from "/static/visitor/scans.js";

self.addEventListener("sync", (event) => {
  if (event.tag === "scans") event.waitUntil(send());
});
