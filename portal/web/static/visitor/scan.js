/* Looking for a poster: with the camera, else in a photograph. */

import { look, readPhoto, tokenOf } from "./camera.js";
import { by, show, tell } from "./views.js";
import { say } from "./words.js";

let close = null;

/** Show the camera; `found` is called with the token of a poster, once. */
export async function openScan(found) {
  show("pindai");
  tell("scan-note", say("visit.look"));
  if (!navigator.mediaDevices?.getUserMedia) {
    tell("scan-note", say("visit.no_camera"));
    return;
  }
  const looking = look(by("scan-video"), (text) => take(text, found));
  close = () => looking.then((stop) => stop()).catch(() => undefined);
  const why = (error) => (error.name === "NotAllowedError" ? "visit.no_leave" : "visit.no_camera");
  await looking.catch((error) => tell("scan-note", say(why(error))));
}

/** Close the camera, if it is open. */
export function closeScan() {
  close?.();
  close = null;
}

/** Let the photograph work. */
export function prepareScan(found) {
  by("scan-photo").addEventListener("change", async ({ target }) => {
    const [file] = target.files;
    if (!file) return;
    tell("scan-note", say("visit.reading"));
    const text = await readPhoto(file).catch(() => "");
    target.value = "";
    if (text) take(text, found);
    else tell("scan-note", say("visit.no_code"));
  });
}

function take(text, found) {
  const token = tokenOf(text);
  if (!token) {
    tell("scan-note", say("visit.other_code"));
    return;
  }
  closeScan();
  if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(80); // else it is an error in the console
  found(token);
}
