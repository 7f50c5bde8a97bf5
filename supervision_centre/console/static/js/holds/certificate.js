/** The certificate of destruction of a camera and a day (LAW-09). */

import { get } from "../api.js";
import { now } from "../session.js";
import { cameraFields } from "../ui/cameras.js";
import { openDialog, openDrawer } from "../ui/dialog.js";
import { h, icon } from "../ui/dom.js";
import { plural, shortDate, shortTime, size, zoneOffset } from "../ui/format.js";

const DAY_MS = 86_400_000;

/**
 * Ask for a camera and a day, and show their certificate.
 * @param {any[]} cameras
 * @param {{camera: string, day: string}} [typed]
 * @param {string} [problem] why the centre refused what was typed
 */
export async function askCertificate(cameras, typed = { camera: "", day: "" }, problem = "") {
  const yesterday = new Date(now() + zoneOffset(now()) - DAY_MS).toISOString().slice(0, 10);
  const wanted = await openDialog({
    title: "Certificat de destruction",
    wide: true,
    body: [
      problem && h("p", { class: "alert", role: "alert", text: problem }),
      h("p", { class: "note", text: "Ce qui a été enregistré par une caméra un jour donné, ce qui en est détruit, quand et pourquoi, avec les preuves du journal." }),
      cameraFields(cameras, typed.camera),
      h(
        "label",
        { class: "field field--short" },
        h("span", { class: "field__label", text: "Journée" }),
        h("input", { class: "input", type: "date", name: "day", required: true, max: yesterday, value: typed.day || yesterday }),
      ),
    ],
    actions: [
      { label: "Annuler", value: null },
      { label: "Établir le certificat", kind: "primary", submit: true },
    ],
    read: (form) => ({ camera: form.elements.camera.value, day: form.elements.day.value }),
  });
  if (!wanted) return;
  try {
    show(await get(path(wanted.camera), { day: wanted.day }));
  } catch (error) {
    if (error.status !== 401) await askCertificate(cameras, wanted, error.text ?? "Le certificat n’a pas pu être établi.");
  }
}

const path = (camera) => `/api/cameras/${encodeURIComponent(camera)}/destruction`;

function show(certificate) {
  const { camera, day } = certificate;
  const good = ["destroyed", "nothing"].includes(certificate.conclusion);
  const facts = [
    ["Caméra", `${certificate.camera_name} (${certificate.commune_name})`],
    ["Autorité", certificate.authority],
    ["Journée", shortDate(Date.parse(certificate.from))],
    ["Enregistré", size(certificate.collected_bytes)],
    ["Effacé", size(certificate.erased_bytes)],
    ["Encore lisible", remainingText(certificate.remaining)],
    ["Conservations", certificate.holds.length ? plural(certificate.holds.length, "conservation") : ""],
    ["Inscriptions", plural(certificate.proofs.length, "inscription")],
  ].filter(([, value]) => value);
  openDrawer("Certificat de destruction", [
    h("p", { class: good ? "alert alert--good" : "alert alert--caution", text: certificate.conclusion_label }),
    h("dl", { class: "facts facts--column" }, facts.map(([name, value]) => [h("dt", { text: name }), h("dd", { class: "figures", text: value })])),
    h(
      "div",
      { class: "drawer__acts" },
      h("a", { class: "button button--primary", href: `${path(camera)}?day=${day}&format=html`, target: "_blank", rel: "noopener", text: "Page à imprimer" }),
      h("button", { class: "button", type: "button", on: { click: () => download(certificate) } }, icon("download"), "Fichier et preuves (JSON)"),
    ),
    hours(certificate.hours),
  ]);
}

function remainingText(remaining) {
  if (remaining === null) return "l’enregistreur n’a pas répondu";
  if (remaining.length === 0) return "rien";
  return remaining.map((one) => `${shortTime(Date.parse(one.from))} à ${shortTime(Date.parse(one.to))}`).join(", ");
}

function hours(list) {
  if (list.length === 0) return null;
  return h(
    "table",
    { class: "table table--small", "aria-label": "Heure par heure" },
    h("thead", {}, h("tr", {}, ["Heure", "Enregistré", "Effacé", "État"].map((name) => h("th", { scope: "col", text: name })))),
    h(
      "tbody",
      {},
      list.map((hour) =>
        h(
          "tr",
          {},
          h("td", { class: "figures", text: shortTime(Date.parse(hour.start)) }),
          h("td", { class: "figures", text: amount(hour.collected) }),
          h("td", { class: "figures", text: amount(hour.erased) }),
          h("td", { text: hour.state_label }),
        ),
      ),
    ),
  );
}

const amount = (entries) => (entries.length ? size(entries.reduce((sum, one) => sum + one.bytes, 0)) : "—");

function download(certificate) {
  const url = URL.createObjectURL(new Blob([JSON.stringify(certificate, null, 2)], { type: "application/json" }));
  const link = h("a", { href: url, download: `destruction-${certificate.camera}-${certificate.day}.json` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
