/** Modal dialogs on the native `<dialog>`: it keeps the focus inside, gives it back, and closes on Échap. */

import { fill, h } from "./dom.js";

let titles = 0;

/**
 * Open a dialog and wait for its answer.
 * @param {{title: string, body: any, actions: Array<{label: string, value: any, kind?: string, submit?: boolean}>,
 *   describe?: string, closable?: boolean, wide?: boolean, read?: (form: HTMLFormElement) => any}} options
 *   `submit` actions check the form first and answer `read(form)`; a dialog that is not closable has no Échap.
 * @returns {Promise<any>} the value of the action, or null when it was closed
 */
export function openDialog({ title, body, actions, closable = true, wide = false, read = () => true }) {
  const id = `dialog-title-${(titles += 1)}`;
  return new Promise((resolve) => {
    let answer = null;
    const form = h(
      "form",
      { class: "dialog__form", method: "dialog", on: { submit: (event) => finish(event) } },
      h("h2", { class: "dialog__title", id, text: title }),
      h("div", { class: "dialog__body" }, body),
      h("div", { class: "dialog__actions" }, actions.map((action) => actionButton(action))),
    );
    const dialog = h("dialog", { class: wide ? "dialog dialog--wide" : "dialog", "aria-labelledby": id }, form);

    function actionButton(action) {
      const close = () => {
        answer = action.value ?? null;
        dialog.close();
      };
      return h("button", {
        class: `button ${action.kind ? `button--${action.kind}` : ""}`,
        type: action.submit ? "submit" : "button",
        on: action.submit ? {} : { click: close },
        text: action.label,
      });
    }

    function finish(event) {
      event.preventDefault();
      if (!form.reportValidity()) return;
      answer = read(form);
      dialog.close();
    }

    dialog.addEventListener("cancel", (event) => {
      if (!closable) event.preventDefault();
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/**
 * Ask for a confirmation.
 * @param {{title: string, text: string, confirm: string, danger?: boolean}} options
 * @returns {Promise<boolean>}
 */
export async function confirmAction({ title, text, confirm, danger = false }) {
  const answer = await openDialog({
    title,
    body: h("p", { text }),
    actions: [
      { label: "Annuler", value: false },
      { label: confirm, value: true, kind: danger ? "danger" : "primary" },
    ],
  });
  return answer === true;
}

/** Whether a dialog is open: single-key shortcuts then keep quiet. @returns {boolean} */
export const dialogOpen = () => document.querySelector("dialog[open]") !== null;

/**
 * A drawer at the right edge, for the details of one row.
 * @param {string} title
 * @param {Array<any>} content
 */
export function openDrawer(title, content) {
  const id = `dialog-title-${(titles += 1)}`;
  const close = h("button", { class: "button", type: "button", text: "Fermer" });
  const dialog = h("dialog", { class: "drawer", "aria-labelledby": id });
  fill(
    dialog,
    h("header", { class: "drawer__head" }, h("h2", { id, text: title }), close),
    h("div", { class: "drawer__body" }, content),
  );
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
