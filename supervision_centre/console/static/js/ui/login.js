/** The login screen. */

import { logIn } from "../session.js";
import { h, setText } from "./dom.js";
import { duration } from "./format.js";

/**
 * Show the login until somebody is in.
 * @param {HTMLElement} place
 * @param {{message?: string, entered: () => void}} options `message` says why one is here again
 * @returns {{unmount: () => void}}
 */
export function mountLogin(place, { message = "", entered }) {
  let countdown = 0;
  const problem = h("p", { class: "alert", role: "alert", hidden: true });
  const capsLock = h("p", { class: "login__caps", role: "status", hidden: true, text: "La touche Verr. Maj. est active." });
  const login = h("input", {
    class: "input", name: "login", autocomplete: "username", autocapitalize: "none", spellcheck: false, required: true,
    autofocus: true,
  });
  const password = h("input", {
    class: "input", name: "password", type: "password", autocomplete: "current-password", required: true,
    "aria-describedby": "caps-lock",
    on: {
      keyup: (event) => showCapsLock(event),
      keydown: (event) => showCapsLock(event),
      blur: () => (capsLock.hidden = true),
    },
  });
  capsLock.id = "caps-lock";
  const submit = h("button", { class: "button button--primary login__submit", type: "submit", text: "Se connecter" });
  const form = h(
    "form",
    { class: "login__form", on: { submit: (event) => send(event) } },
    h("h1", { class: "login__title", text: "Connexion" }),
    message && h("p", { class: "alert alert--caution", role: "status", text: message }),
    problem,
    h("label", { class: "field" }, h("span", { class: "field__label", text: "Identifiant" }), login),
    h("label", { class: "field" }, h("span", { class: "field__label", text: "Mot de passe" }), password),
    capsLock,
    submit,
    h("p", {
      class: "note",
      text: "Compte nominatif. Chaque connexion et chaque consultation d’images sont inscrites au journal des accès.",
    }),
  );
  place.replaceChildren(
    h(
      "main",
      { class: "login" },
      h(
        "div",
        { class: "login__product" },
        h("img", { src: "/icon.svg", alt: "", width: 44, height: 44 }),
        h("div", {}, h("p", { class: "login__name", text: "Vidéoprotection départementale" }),
          h("p", { class: "note", text: "Centre départemental de supervision urbaine" })),
      ),
      form,
    ),
  );
  login.focus();

  function showCapsLock(event) {
    capsLock.hidden = !event.getModifierState?.("CapsLock");
  }

  function tell(text) {
    problem.hidden = false;
    setText(problem, text);
  }

  async function send(event) {
    event.preventDefault();
    if (submit.disabled) return;
    submit.disabled = true;
    problem.hidden = true;
    try {
      await logIn(login.value.trim(), password.value);
      entered();
    } catch (error) {
      if (error.code === "login.throttled") {
        wait(error);
        return;
      }
      submit.disabled = false;
      tell(error.text ?? "La connexion a échoué.");
      password.select();
      password.focus();
    }
  }

  function wait(error) {
    const told = /(\d+)\s*s\b/.exec(error.message);
    const until = Date.now() + (told ? Number(told[1]) : error.retryAfterS || 30) * 1000;
    const tick = () => {
      const left = until - Date.now();
      if (left <= 0) {
        clearInterval(countdown);
        submit.disabled = false;
        problem.hidden = true;
        password.focus();
        return;
      }
      tell(`Trop d’essais. Nouvel essai possible dans ${duration(left)}.`);
    };
    tick();
    countdown = window.setInterval(tick, 1000);
  }

  return { unmount: () => clearInterval(countdown) };
}
