/* Before an officer signs out: nothing of what he entered stays on this device, and he is told what was not sent yet. */

import { removeAllOf, unsentOf } from "./queue.js";

const form = document.getElementById("sign-out");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { account, still } = form.dataset;
  const waiting = await unsentOf(account);
  if (waiting && !confirm(still.replace("{n}", waiting))) return;
  await removeAllOf(account);
  form.submit();
});
