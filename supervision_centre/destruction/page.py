"""A certificate as one page to print: no image, no script of its own, every value escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from supervision_centre.destruction.certificate import Certificate, Cited, Conclusion, Hour
from supervision_centre.destruction.service import Proved
from supervision_centre.destruction.wording import (
    CONCLUSIONS,
    HOURS,
    bytes_text,
    cause_label,
    day_text,
    hour_text,
    local_text,
    utc_clock,
)

LINKED_STYLE = '<link rel="stylesheet" href="/css/certificate.css">\n<script type="module" src="/js/print.js"></script>'
_GOOD = frozenset({Conclusion.DESTROYED, Conclusion.NOTHING})


def inline_style(css: str) -> str:
    """The head of a page that stands alone, as the command line writes it."""
    return f"<style>\n{css}</style>"


def certificate_page(proved: Proved, *, centre_name: str, author_name: str, style: str = LINKED_STYLE) -> str:
    """The page, in French. `style` is what brings its style sheet, as HTML."""
    certificate, camera = proved.certificate, proved.camera
    title = f"Certificat de destruction, {camera.name}, {certificate.day.isoformat()}"
    facts = (
        ("Caméra", camera.name),
        ("Identifiant", camera.camera_id),
        ("Commune", f"{camera.commune_name} ({camera.commune})"),
        ("Autorité des images", camera.authority),
        ("Journée", day_text(certificate.day)),
        ("En temps universel", f"de {utc_clock(certificate.start_ns)} à {utc_clock(certificate.end_ns)}"),
        ("Enregistré", bytes_text(certificate.collected_bytes)),
        ("Effacé", bytes_text(certificate.erased_bytes)),
        ("Établi le", f"{local_text(certificate.made_at_ns)} par {author_name}"),
    )
    body = (
        f'<p class="centre">{escape(centre_name)}</p>\n<h1>Certificat de destruction des images</h1>\n',
        f'<dl class="facts">{"".join(_fact(name, value) for name, value in facts)}</dl>\n',
        _conclusion(certificate),
        _hours(certificate.hours),
        _remaining(certificate),
        _holds(certificate),
        _proof(proved),
    )
    return (
        '<!doctype html>\n<html lang="fr">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{escape(title)}</title>\n{style}\n</head>\n'
        f"<body>\n<main>\n{''.join(body)}</main>\n</body>\n</html>\n"
    )


def _fact(name: str, value: str) -> str:
    return f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"


def _conclusion(certificate: Certificate) -> str:
    kind = "good" if certificate.conclusion in _GOOD else "other"
    return f'<p class="conclusion conclusion--{kind}">{escape(CONCLUSIONS[certificate.conclusion])}</p>\n'


def _hours(hours: Sequence[Hour]) -> str:
    if not hours:
        return "<h2>Heure par heure</h2>\n<p>Le journal ne porte aucune inscription pour cette caméra ce jour-là.</p>\n"
    head = "".join(
        f'<th scope="col">{name}</th>'
        for name in ("Heure", "Enregistré", "Inscription", "Effacé", "Le", "Cause", "Inscription", "État")
    )
    return (
        f"<h2>Heure par heure</h2>\n<table>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{''.join(_hour(hour) for hour in hours)}</tbody>\n</table>\n"
    )


def _hour(hour: Hour) -> str:
    cells = (
        escape(hour_text(hour.start_ns)),
        _lines(_amount(entry) for entry in hour.collected),
        _lines(f"n° {entry.index}" for entry in hour.collected),
        _lines(_amount(entry) for entry in hour.erased),
        _lines(local_text(entry.at_ns) for entry in hour.erased),
        _lines(cause_label(entry.cause) for entry in hour.erased),
        _lines(f"n° {entry.index}" for entry in hour.erased),
        escape(HOURS[hour.state]),
    )
    return f'<tr class="{hour.state.value}">{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>\n'


def _amount(entry: Cited) -> str:
    return f"{entry.segments} segment{'s' if entry.segments > 1 else ''}, {bytes_text(entry.size_bytes)}"


def _lines(texts: Iterable[str]) -> str:
    return "<br>".join(map(escape, texts)) or "—"


def _remaining(certificate: Certificate) -> str:
    title = "<h2>Ce que l'enregistreur a encore</h2>\n"
    if certificate.remaining is None:
        return f"{title}<p>L'enregistreur n'a pas répondu à l'instant de ce certificat.</p>\n"
    if not certificate.remaining:
        return f"{title}<p>Rien : aucune image de cette journée n'est lisible.</p>\n"
    items = (f"de {local_text(one.start_ns)} à {local_text(one.end_ns)}" for one in certificate.remaining)
    return f"{title}<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>\n"


def _holds(certificate: Certificate) -> str:
    if not certificate.holds:
        return ""
    items = (
        f"{hold.hold_id} : images de {local_text(hold.start_ns)} à {local_text(hold.end_ns)}, conservées jusqu'au"
        f" {local_text(hold.expires_at_ns)} au plus tard"
        for hold in certificate.holds
    )
    return (
        "<h2>Conservations judiciaires en cours</h2>\n"
        f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>\n"
    )


def _proof(proved: Proved) -> str:
    rows = "".join(
        f"<tr><td>n° {entry.index}</td><td>{escape(local_text(entry.logged_at_ns))}</td>"
        f'<td class="digest">{escape(entry.leaf)}</td><td class="digest">{escape(entry.digest)}</td></tr>\n'
        for entry in proved.certificate.cited
    )
    names = ("Inscription", "Inscrite le", "Empreinte de l'inscription", "Empreinte des segments")
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n" if rows else ""
    return (
        "<h2>Preuves</h2>\n"
        "<p>Ce certificat est tiré du journal des accès, que le centre ne peut pas modifier. La version JSON de ce"
        " certificat contient la preuve d'inclusion de chaque inscription ; elle se vérifie hors ligne avec la clé"
        " publique du journal.</p>\n"
        f'<p>Journal de {proved.head_size} inscriptions, racine <span class="digest">{escape(proved.head_root)}</span>'
        f".</p>\n{table}"
    )
