/** The bar above every screen: product, screens, authority (LAW-20), purpose, person, clock of the centre. */

import { currentPerson, may, now, purpose, sessionEvents } from "../session.js";
import { openDialog } from "./dialog.js";
import { fill, h, icon, setText } from "./dom.js";
import { clockTime, longDate, plural } from "./format.js";
import { showKeys } from "./keys.js";
import { placeNotices } from "./notices.js";
import { askPurpose } from "./purpose.js";

const AUTHORITIES_IN_BAR = 2;

/**
 * Build the shell.
 * @param {HTMLElement} place
 * @param {{screens: Record<string, {title: string, right: string|null, icon: string}>, leave: () => void}} options
 * @returns {{outlet: HTMLElement, showScreen: (name: string) => void, unmount: () => void}}
 */
export function mountShell(place, { screens, leave }) {
  const me = currentPerson();
  const links = Object.entries(screens)
    .filter(([, screen]) => screen.right === null || may(screen.right))
    .map(([name, screen]) =>
      h("a", { class: "bar__link", href: `#/${name}`, data: { screen: name } }, icon(screen.icon), screen.title),
    );
  const clock = h("time", { class: "bar__clock figures", "aria-label": "Heure du centre" });
  const day = h("span", { class: "bar__day" });
  const purposeText = h("span", { class: "bar__purpose-text" });
  const purposeButton = h(
    "button",
    {
      class: "bar__purpose", type: "button", title: "Changer la finalité",
      on: { click: () => askPurpose({ change: purpose() !== null }) },
    },
    icon("tag"),
    purposeText,
  );
  const outlet = h("main", { class: "screen", id: "screen", tabIndex: -1 });
  const notices = h("div", { class: "notices" });
  place.replaceChildren(
    h(
      "div",
      { class: "shell" },
      h("a", { class: "skip", href: "#screen", text: "Aller au contenu", on: { click: (event) => skip(event) } }),
      h(
        "header",
        { class: "bar" },
        h("div", { class: "bar__product" }, h("img", { src: "/icon.svg", alt: "", width: 26, height: 26 }),
          h("div", { class: "bar__title" }, h("span", { class: "bar__name", text: "Vidéoprotection" }),
            me.centre_name && h("span", { class: "bar__centre", text: me.centre_name }))),
        h("nav", { class: "bar__nav", "aria-label": "Écrans" }, links),
        h("div", { class: "bar__context" }, authorityButton(me.authorities ?? []), purposeButton),
        h("div", { class: "bar__person" }, h("span", { class: "bar__person-name", text: me.person.name }),
          h("span", { class: "bar__role", text: me.person.role_label ?? me.person.role })),
        h("div", { class: "bar__time" }, clock, day),
        h("button", { class: "button button--quiet button--icon", type: "button", title: "Touches du clavier (?)",
          "aria-label": "Touches du clavier", on: { click: showKeys } }, icon("keys")),
        h("button", { class: "button button--quiet button--icon", type: "button", title: "Se déconnecter",
          "aria-label": "Se déconnecter", on: { click: leave } }, icon("leave")),
      ),
      me.demo && h("p", { class: "demo", text: "Démonstration\u00a0: caméras simulées, aucune image réelle de voie publique en direct" }),
      notices,
      outlet,
    ),
  );
  placeNotices(notices);
  showPurpose();
  tick();
  const ticking = window.setInterval(tick, 250);
  sessionEvents.addEventListener("purpose", showPurpose);

  function skip(event) {
    event.preventDefault();
    outlet.focus();
  }

  function tick() {
    const ms = now();
    setText(clock, clockTime(ms));
    setText(day, longDate(ms));
    clock.dateTime = new Date(ms).toISOString();
  }

  function showPurpose() {
    const chosen = purpose();
    const needed = may("live") || may("playback");
    purposeButton.hidden = !needed;
    setText(purposeText, chosen ? chosen.label : "Choisir la finalité");
    purposeButton.title = chosen ? `Finalité\u00a0: ${chosen.label} (changer)` : "Choisir la finalité";
  }

  return {
    outlet,
    showScreen(name) {
      for (const link of links) {
        if (link.dataset.screen === name) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
      }
    },
    unmount() {
      clearInterval(ticking);
      sessionEvents.removeEventListener("purpose", showPurpose);
    },
  };
}

function authorityButton(authorities) {
  if (authorities.length === 0) return null;
  const shown = authorities.slice(0, AUTHORITIES_IN_BAR).map(nameOf);
  const rest = authorities.length - shown.length;
  const text = rest > 0 ? `${shown.join(", ")} et ${plural(rest, "autre")}` : shown.join(", ");
  const button = h(
    "button",
    { class: "bar__authority", type: "button", title: "Autorités sous lesquelles ces images sont visionnées", on: { click: show } },
    h("span", { class: "bar__authority-label", text: authorities.length > 1 ? "Autorités des images" : "Autorité des images" }),
    h("span", { class: "bar__authority-text", text }),
  );
  return button;

  function show() {
    const list = h("ul", { class: "plain-list" });
    fill(list, authorities.map((authority) => h("li", { text: nameOf(authority) })));
    openDialog({
      title: "Autorités des images",
      body: [
        h("p", { class: "note", text: "Les images de chaque caméra sont visionnées sous l’autorité exclusive de\u00a0:" }),
        list,
      ],
      actions: [{ label: "Fermer", value: null, kind: "primary" }],
    });
  }
}

const nameOf = (authority) => (typeof authority === "string" ? authority : (authority.name ?? authority.label ?? ""));
