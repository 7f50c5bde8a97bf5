/**
 * Screens by the hash of the address: `#/relecture?camera=cam_…`. One screen is mounted at a time; leaving it stops what
 * it shows.
 */

let current = null;
let routes = {};
let outlet = null;
let allowed = () => true;
let onChange = () => {};

/**
 * @typedef {{unmount: () => void, update?: (parameters: URLSearchParams) => void}} Mounted
 * @typedef {{title: string, right: string|null, mount: (place: HTMLElement, parameters: URLSearchParams) => Mounted}} Screen
 */

/**
 * Show screens inside an element from now on.
 * @param {{place: HTMLElement, screens: Record<string, Screen>, may: (right: string|null) => boolean,
 *   changed: (name: string) => void}} options
 */
export function startRouter(options) {
  ({ screens: routes, place: outlet, may: allowed, changed: onChange } = options);
  window.addEventListener("hashchange", show);
  show();
}

/** Unmount what is shown and stop following the address. */
export function stopRouter() {
  window.removeEventListener("hashchange", show);
  current?.mounted.unmount();
  current = null;
}

/**
 * Go to a screen.
 * @param {string} name
 * @param {Record<string, string>} [parameters]
 */
export function go(name, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  window.location.hash = query ? `#/${name}?${query}` : `#/${name}`;
}

/** The first screen that this person may open. @returns {string|undefined} */
export const firstScreen = () => Object.keys(routes).find((name) => allowed(routes[name].right));

function show() {
  const [path, query = ""] = window.location.hash.replace(/^#\/?/, "").split("?");
  const name = routes[path] && allowed(routes[path].right) ? path : firstScreen();
  const parameters = new URLSearchParams(name === path ? query : "");
  if (!name) return;
  if (current?.name === name) {
    current.mounted.update?.(parameters);
    return;
  }
  current?.mounted.unmount();
  outlet.replaceChildren();
  document.title = `${routes[name].title} · Vidéoprotection départementale`;
  current = { name, mounted: routes[name].mount(outlet, parameters) };
  onChange(name);
}
