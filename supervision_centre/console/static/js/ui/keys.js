/** The keys of the console, and the dialog that shows them. */

import { dialogOpen, openDialog } from "./dialog.js";
import { h } from "./dom.js";

const KEYS = [
  ["Partout", [
    [["?"], "Montrer ces touches"],
    [["1", "2", "3", "4"], "Aller au mur, à la relecture, au journal, aux personnes"],
    [["5", "6"], "Aller aux conservations, à l’état des disques"],
    [["/"], "Chercher une caméra"],
  ]],
  ["Relecture", [
    [["Espace", "K"], "Lire ou arrêter"],
    [["J", "L"], "Lire en arrière, en avant\u00a0; encore\u00a0: plus vite"],
    [["←", "→"], "Image précédente, suivante"],
    [["Maj ←", "Maj →"], "Reculer ou avancer de 10 s"],
    [["-", "+"], "Moins vite, plus vite"],
    [["G"], "Aller à un instant"],
    [["M"], "Poser ou ôter un repère"],
    [["B", "N"], "Repère précédent, suivant"],
    [["Alt ←", "Alt →"], "Revenir où j’étais, refaire le saut"],
    [["Tab"], "Passer d’une caméra à l’autre"],
    [["D"], "Revenir au direct"],
  ]],
  ["Mur", [
    [["←", "↑", "→", "↓"], "Passer d’une image à l’autre"],
    [["Entrée"], "Agrandir l’image"],
    [["Échap"], "Revenir au mur"],
    [["F"], "Plein écran"],
    [["R"], "Relire cette caméra"],
    [["Page ↑", "Page ↓"], "Images précédentes, suivantes"],
  ]],
];

/** Show every key. */
export function showKeys() {
  if (dialogOpen()) return;
  openDialog({
    title: "Touches du clavier",
    wide: true,
    body: h(
      "div",
      { class: "keys" },
      KEYS.map(([group, rows]) =>
        h(
          "section",
          {},
          h("h3", { class: "keys__group", text: group }),
          h(
            "dl",
            { class: "keys__rows" },
            rows.map(([keys, text]) => [
              h("dt", {}, keys.map((key) => h("kbd", { text: key }))),
              h("dd", { text }),
            ]),
          ),
        ),
      ),
    ),
    actions: [{ label: "Fermer", value: null, kind: "primary" }],
  });
}

/** Whether a key press belongs to a field or to an open dialog rather than to a shortcut. @param {KeyboardEvent} event */
export function isTyping(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  const field = target.closest?.("input:not([type=radio]):not([type=checkbox]), textarea, select");
  return dialogOpen() || Boolean(field) || event.ctrlKey || event.metaKey || event.altKey;
}
