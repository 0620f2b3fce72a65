/* Keeps the page usable without signal. The server puts VERSION and FILES before it; it knows no person and no scan. */

const SHELL = "/q";
const CACHE = `visitor-${VERSION}`;
const PATIENCE_MS = 4000;
let isBehind = false; // the server's page is newer than our files: take those from the server too

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(FILES))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(forgetOthers().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  if (request.mode === "navigate") event.respondWith(opened(event));
  else if (FILES.includes(pathname)) event.respondWith(file(request));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(
    self.clients.matchAll({ type: "window" }).then(([open]) => (open ? open.focus() : self.clients.openWindow(SHELL))),
  );
});

/** The page as the server has it now; where it does not answer in time, as it was the last time. */
async function opened(event) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(SHELL);
  try {
    const answer = await inTime(fetch(event.request));
    if (answer.status >= 500 && kept) return kept;
    isBehind = answer.headers.get("jejak-visitor") !== VERSION;
    // the language was changed: what is kept for times without signal has to be in it too
    if (answer.headers.get("content-language") !== kept?.headers.get("content-language")) {
      event.waitUntil(cache.add(SHELL).catch(() => undefined));
    }
    return answer;
  } catch {
    isBehind = false;
    return kept ?? Response.error();
  }
}

async function file(request) {
  const kept = isBehind ? undefined : await caches.match(request, { ignoreSearch: true });
  return kept ?? fetch(request).catch(async () => (await caches.match(request)) ?? Response.error());
}

async function forgetOthers() {
  const others = (await caches.keys()).filter((name) => name.startsWith("visitor-") && name !== CACHE);
  await Promise.all(others.map((name) => caches.delete(name)));
}

function inTime(answer) {
  return Promise.race([answer, new Promise((_, fail) => setTimeout(() => fail(new Error("late")), PATIENCE_MS))]);
}
