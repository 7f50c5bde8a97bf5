/** The capacity of the disks, watched for those who must act on it: a notice above every screen (LAW-08). */

import { get } from "../api.js";
import { go } from "../router.js";
import { may } from "../session.js";
import { clearNotice, showNotice } from "../ui/notices.js";

const EVERY_MS = 300_000;
let timer = 0;

/** Watch from now on, where the person has the right. */
export function watchCapacity() {
  stopWatchingCapacity();
  if (!may("capacity")) return;
  look();
  timer = window.setInterval(look, EVERY_MS);
}

/** Watch no more, as after a logout. */
export function stopWatchingCapacity() {
  clearInterval(timer);
  timer = 0;
  clearNotice("capacity");
}

/** Show or withdraw the notice of a report. @param {{state: string, summary: string}} report */
export function noticeCapacity({ state, summary }) {
  if (!summary) clearNotice("capacity");
  else showNotice("capacity", summary, { caution: state === "tight", action: { label: "Voir les disques", run: () => go("etat") } });
}

async function look() {
  try {
    const report = await get("/api/capacity");
    if (timer) noticeCapacity(report);
  } catch {
    // The node that does not answer is told by the wall; the next look comes by itself.
  }
}
