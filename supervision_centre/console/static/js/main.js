/**
 * The start of the console: who is there, which screens, and what to do when the session or the network is lost.
 */

import { apiEvents, get, isOnline } from "./api.js";
import { mountHolds } from "./holds/screen.js";
import { mountJournal } from "./journal/screen.js";
import { mountPeople } from "./people/screen.js";
import { mountPlayback } from "./playback/screen.js";
import { go, startRouter, stopRouter } from "./router.js";
import { currentPerson, forget, loadPerson, logOut, may } from "./session.js";
import { mountState } from "./state/screen.js";
import { stopWatchingCapacity, watchCapacity } from "./state/watch.js";
import { isTyping, showKeys } from "./ui/keys.js";
import { mountLogin } from "./ui/login.js";
import { clearNotice, clearNotices, passingNotice, showNotice } from "./ui/notices.js";
import { mountShell } from "./ui/shell.js";
import { mountWall } from "./wall/screen.js";

const RETRY_FIRST_MS = 1_000;
const RETRY_LAST_MS = 10_000;

const SCREENS = {
  mur: { title: "Mur", right: "live", icon: "wall", mount: mountWall },
  relecture: { title: "Relecture", right: "playback", icon: "replay", mount: mountPlayback },
  journal: { title: "Journal des accès", right: "journal", icon: "journal", mount: mountJournal },
  personnes: { title: "Personnes", right: "people.list", icon: "people", mount: mountPeople },
  conservations: { title: "Conservations", right: "destruction", icon: "hold", mount: mountHolds },
  etat: { title: "État", right: "capacity", icon: "disks", mount: mountState },
};

const app = document.getElementById("app");
let shell = null;
let login = null;
let retryTimer = 0;

function enter() {
  login?.unmount();
  login = null;
  shell = mountShell(app, { screens: SCREENS, leave });
  startRouter({
    place: shell.outlet,
    screens: SCREENS,
    may: (right) => right === null || may(right),
    changed: (name) => shell.showScreen(name),
  });
  watchCapacity();
}

function showLogin(message = "") {
  if (login) return;
  if (shell) {
    stopWatchingCapacity();
    stopRouter();
    shell.unmount();
    shell = null;
  }
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  clearNotices();
  login = mountLogin(app, { message, entered: enter });
}

async function leave() {
  try {
    stopRouter();
    await logOut();
    showLogin("Vous êtes déconnecté.");
  } catch (error) {
    showLogin();
    passingNotice(error.text ?? "La déconnexion n’a pas pu être confirmée par le centre.", { fault: true });
  }
}

function expired(event) {
  if (!currentPerson()) return;
  forget();
  showLogin(event.detail || "Votre session a pris fin. Connectez-vous de nouveau.");
}

function lost() {
  let delay = RETRY_FIRST_MS;
  const probe = async () => {
    clearTimeout(retryTimer);
    try {
      await get("/api/health");
    } catch {
      delay = Math.min(delay * 2, RETRY_LAST_MS);
      if (!isOnline()) retryTimer = window.setTimeout(probe, delay * (0.5 + Math.random() / 2));
    }
  };
  showNotice("network", "Le centre ne répond plus. La console réessaie d’elle-même.", {
    action: { label: "Réessayer", run: probe },
  });
  retryTimer = window.setTimeout(probe, delay * (0.5 + Math.random() / 2));
}

function back() {
  clearTimeout(retryTimer);
  clearNotice("network");
  if (!currentPerson() && !login) start();
}

function shortcut(event) {
  if (!shell || isTyping(event)) return;
  const names = Object.keys(SCREENS);
  if (event.key === "?") showKeys();
  else if (/^[1-6]$/.test(event.key) && may(SCREENS[names[event.key - 1]].right)) go(names[event.key - 1]);
  else return;
  event.preventDefault();
}

async function start() {
  try {
    await loadPerson();
    enter();
  } catch (error) {
    if (error.status === 401) showLogin();
    else showLogin(error.text ?? "La console n’a pas pu démarrer.");
  }
}

window.addEventListener("pageshow", (event) => event.persisted && window.location.reload());
apiEvents.addEventListener("expired", expired);
apiEvents.addEventListener("offline", lost);
apiEvents.addEventListener("online", back);
document.addEventListener("keydown", shortcut);
start();
