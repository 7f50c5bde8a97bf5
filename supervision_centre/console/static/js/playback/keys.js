/** What the keys mean on the playback. */

import { dialogOpen } from "../ui/dialog.js";
import { isTyping } from "../ui/keys.js";

const SKIP_S = 10;

/**
 * A listener for `keydown`.
 * @param {Record<string, (...values: any[]) => void>} act what can be done, by name
 * @returns {(event: KeyboardEvent) => void}
 */
export function playbackKeys(act) {
  const plain = {
    " ": act.toggle,
    k: act.toggle,
    j: () => act.shuttle(-1),
    l: () => act.shuttle(1),
    ArrowLeft: () => act.step(-1),
    ArrowRight: () => act.step(1),
    ",": () => act.step(-1),
    ";": () => act.step(1),
    "+": () => act.faster(1),
    "-": () => act.faster(-1),
    g: act.instant,
    m: act.mark,
    b: () => act.marker(-1),
    n: () => act.marker(1),
    d: act.live,
    "/": act.search,
  };
  const shifted = { ArrowLeft: () => act.skip(-SKIP_S), ArrowRight: () => act.skip(SKIP_S) };
  const withAlt = { ArrowLeft: () => act.undo(-1), ArrowRight: () => act.undo(1) };
  return (event) => {
    if (event.defaultPrevented || (event.altKey ? dialogOpen() || event.ctrlKey || event.metaKey : isTyping(event))) return;
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const run = event.altKey ? withAlt[name] : ((event.shiftKey && shifted[name]) || plain[name]);
    if (!run || (name === " " && event.target.closest?.("button"))) return;
    event.preventDefault();
    run();
  };
}
