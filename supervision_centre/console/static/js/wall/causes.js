/** Why a tile shows nothing, in sentences for operators. The codes are those of `StreamStatus.cause` and of the gateway. */

const SENTENCES = {
  unreachable: "La caméra ne répond pas sur le réseau.",
  refused: "La caméra refuse la connexion.",
  bad_password: "La caméra refuse le mot de passe enregistré.",
  timeout: "La caméra met trop de temps à répondre.",
  silent: "La caméra est connectée mais n’envoie plus d’images.",
  closed_by_camera: "La caméra a coupé la liaison.",
  protocol: "La caméra envoie des données non conformes.",
  unsupported_codec: "Le format d’image de la caméra n’est pas pris en charge.",
  unplayable_codec: "Codec non lisible dans le navigateur\u202f: la caméra reste enregistrée.",
  reader_unavailable: "Le lecteur des caméras UDP et des anciens codecs ne répond pas.",
  tls_pin_mismatch: "L’identité de la caméra a changé\u202f: liaison refusée par sécurité.",
  tls_no_pin: "Aucune empreinte n’est enregistrée pour la liaison chiffrée de cette caméra.",
  redirected: "La caméra renvoie vers une autre adresse\u202f: liaison refusée par sécurité.",
  flood: "La caméra envoie bien plus qu’une vidéo\u202f: liaison coupée par sécurité.",
  not_authorised: "L’autorisation préfectorale de cette caméra n’est pas en vigueur.",
  disk_full: "L’enregistreur n’a plus de place.",
  lease_expired: "Le droit de consultation n’a pas été renouvelé à temps.",
  revoked: "La consultation a été interrompue par le centre.",
  suspended: "Votre compte est suspendu.",
  habilitation: "Votre habilitation n’est plus en cours de validité.",
  delegation: "Votre délégation n’est plus en cours de validité.",
  agrement: "Votre agrément préfectoral n’est plus en cours de validité.",
  role: "Votre rôle ne permet pas de voir cette caméra.",
  out_of_scope: "Cette caméra n’est plus dans votre périmètre.",
  not_in_service: "Cette caméra n’est plus en service.",
  closed: "La consultation est terminée.",
  "ticket.expired": "Le droit de consultation est arrivé à son terme.",
  "ticket.forged": "Le droit de consultation n’est pas reconnu.",
  "ticket.malformed": "Le droit de consultation n’est pas reconnu.",
  unassigned: "Cette caméra n’est confiée à aucun enregistreur.",
  replaced: "Une autre consultation a pris la place de celle-ci.",
  recorder: "L’enregistreur de cette caméra est indisponible.",
  "audit.unavailable": "Le journal des accès ne répond pas\u00a0: aucune image ne peut être montrée.",
};

const TITLES = {
  connecting: "Connexion à la caméra…",
  no_signal: "Pas de signal",
  stopped: "Image arrêtée",
  refused: "Consultation refusée",
  unavailable: "Consultation suspendue",
  reconnecting: "Reconnexion…",
  unreadable: "Image illisible",
};

/** The sentence of a cause, or an empty one. @param {string|undefined} cause @returns {string} */
export const causeSentence = (cause) => (cause ? (SENTENCES[cause] ?? "La cause n’est pas encore connue.") : "");

/** The heading of a tile without image. @param {string} condition @returns {string} */
export const conditionTitle = (condition) => TITLES[condition] ?? TITLES.no_signal;

const LABELS = { live: "En direct", connecting: "Connexion", no_signal: "Pas de signal", stopped: "Arrêtée" };

/** The short word of a condition, for the list. @param {string|undefined} condition @returns {string} */
export const conditionLabel = (condition) => LABELS[condition] ?? "État inconnu";

/** Causes after which the console does not ask again by itself: the decisions of the centre. */
export const FINAL_CAUSES = new Set([
  "revoked", "suspended", "habilitation", "delegation", "agrement", "role", "purpose", "out_of_scope", "not_in_service",
]);
