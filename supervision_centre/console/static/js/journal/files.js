/** Taking files of the journal away, with a dialog that shows how far they are. */

import { download } from "../api.js";
import { openDialog } from "../ui/dialog.js";
import { h, setText } from "../ui/dom.js";
import { passingNotice } from "../ui/notices.js";

const POLL_MS = 600;

/**
 * Fetch a file while a dialog shows how far it is, and save it. « Annuler » and Échap stop it.
 * @param {{title: string, path: string, query?: Record<string, any>, saved: string,
 *   progress?: () => Promise<{share: number|null, text: string}>}} about `saved` is said at the end
 * @returns {Promise<string>} the sentence of what went wrong, or nothing
 */
export async function takeAway({ title, path, query = {}, saved, progress = null }) {
  const stopper = new AbortController();
  const bar = h("progress", { class: "progress", max: 1, "aria-label": title });
  const line = h("p", { class: "note figures", text: "Préparation…" });
  const closed = openDialog({ title, body: [bar, line], actions: [{ label: "Annuler", value: null }] });
  const dialog = bar.closest("dialog");
  closed.then(() => stopper.abort());
  const timer = progress ? window.setInterval(tell, POLL_MS) : 0;

  async function tell() {
    try {
      const { share, text } = await progress();
      if (share === null) bar.removeAttribute("value");
      else bar.value = share;
      setText(line, text);
    } catch {
      bar.removeAttribute("value");
    }
  }

  try {
    const file = await download(path, query, stopper.signal);
    save(file.blob, file.name);
    passingNotice(saved);
    return "";
  } catch (error) {
    if (stopper.signal.aborted || error.status === 401) return "";
    return error.text ?? "Le fichier n’a pas pu être produit.";
  } finally {
    clearInterval(timer);
    dialog?.close();
  }
}

/**
 * Give content as a file.
 * @param {Blob} blob
 * @param {string} name
 */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
