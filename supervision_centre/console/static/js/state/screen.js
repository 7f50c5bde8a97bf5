/** The state of the installation: its disks, what they promise and what to do about it (LAW-08). */

import { get } from "../api.js";
import { fill, h } from "../ui/dom.js";
import { number, shortDate, size } from "../ui/format.js";
import { tableSheet } from "../ui/sheet.js";
import { noticeCapacity } from "./watch.js";

const REFRESH_MS = 30_000;
const COLUMNS = ["Disque", "Place", "Écrit par jour", "Exigé", "Atteint", "Plein le", "Ce qu’il en est"];
const MARKS = { enough: "state", tight: "state state--caution", short: "state state--off", dead: "state state--off" };

/**
 * Show the state.
 * @param {HTMLElement} place
 * @returns {import("../router.js").Mounted}
 */
export function mountState(place) {
  const { table, rows, empty } = tableSheet(place, {
    title: "État des disques",
    note: "La durée que les disques permettent, face à celle que les arrêtés exigent. Recalculée d’elle-même.",
    label: "Disques",
    columns: COLUMNS, hidden: true,
  });
  let stopped = false;
  load();
  const timer = window.setInterval(() => !document.hidden && load(), REFRESH_MS);

  async function load() {
    try {
      const report = await get("/api/capacity");
      if (stopped) return;
      noticeCapacity(report);
      show(report.disks);
    } catch (error) {
      if (!stopped && error.status !== 401) show([], error.text);
    }
  }

  function show(disks, problem = "") {
    fill(rows, disks.map(row));
    table.hidden = disks.length === 0;
    empty.hidden = disks.length > 0;
    fill(
      empty,
      h("p", { text: problem || "L’enregistreur n’annonce aucun disque." }),
      problem && h("button", { class: "button", type: "button", text: "Réessayer", on: { click: load } }),
    );
  }

  return {
    unmount() {
      stopped = true;
      clearInterval(timer);
    },
  };
}

const days = (value) => (value >= 365 ? "plus d’un an" : `${number(Math.round(value * 10) / 10)}\u00a0j`);

function row(disk) {
  const dead = disk.state === "dead";
  return h(
    "tr",
    { data: { disk: disk.name } },
    h("td", {}, h("span", { class: "cell__main", text: disk.name }), h("span", { class: MARKS[disk.state] ?? "state", text: disk.state_label })),
    h("td", { class: "figures" }, dead ? "—" : room(disk)),
    h("td", { class: "figures cell--nowrap", text: dead ? "—" : size(disk.bytes_per_day) }),
    h("td", { class: "figures cell--nowrap", text: dead ? "—" : days(disk.required_days) }),
    h("td", { class: "figures cell--nowrap", text: dead ? "—" : days(disk.reached_days) }),
    h("td", { class: "figures cell--nowrap", text: disk.forced_at ? shortDate(Date.parse(disk.forced_at)) : "—" }),
    h("td", {}, h("span", { class: "cell__main", text: disk.sentence }), disk.advice && h("span", { class: "cell__more", text: disk.advice })),
  );
}

function room(disk) {
  const used = Math.max(0, disk.total_bytes - disk.free_bytes);
  return [
    h("meter", { class: "room", min: 0, max: disk.total_bytes || 1, value: used, "aria-label": `Place occupée du disque ${disk.name}` }),
    h("span", { class: "cell__more", text: `${size(disk.free_bytes)} libres sur ${size(disk.total_bytes)}` }),
    disk.held_bytes > 0 && h("span", { class: "cell__more", text: `${size(disk.held_bytes)} sous conservation` }),
  ];
}
