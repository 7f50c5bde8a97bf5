"""Where the simulated cameras stand: real communes of the Eure, real streets and squares, invented camera names.

Positions are WGS 84 degrees, of the place itself for the six communes of the demonstration and of the middle of the
commune for the others (Licence Ouverte; IGN, INSEE).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """A named spot of a commune with the bearing that its camera looks at, in degrees from north."""

    name: str
    latitude: float
    longitude: float
    orientation_deg: float


@dataclass(frozen=True, slots=True)
class Commune:
    """A commune (INSEE code, name), the middle of it, and its own viewpoints, the first ones first."""

    code: str
    name: str
    latitude: float
    longitude: float
    viewpoints: tuple[Viewpoint, ...] = ()


DEMONSTRATION = (
    Commune(
        "27229",
        "Évreux",
        49.0268,
        1.1513,
        (
            Viewpoint("Place du Général-de-Gaulle", 49.0268, 1.1513, 200.0),
            Viewpoint("Parvis de la gare", 49.0190, 1.1487, 350.0),
            Viewpoint("Rue du Docteur-Oursel", 49.0262, 1.1490, 95.0),
            Viewpoint("Square Georges-Brassens", 49.0249, 1.1539, 270.0),
        ),
    ),
    Commune(
        "27681",
        "Vernon",
        49.0936,
        1.4853,
        (
            Viewpoint("Parvis de la collégiale", 49.0936, 1.4853, 150.0),
            Viewpoint("Place de la gare", 49.0919, 1.4785, 60.0),
            Viewpoint("Pont Clemenceau", 49.0964, 1.4882, 30.0),
        ),
    ),
    Commune(
        "27375",
        "Louviers",
        49.2133,
        1.1664,
        (
            Viewpoint("Place Ernest-Thorel", 49.2133, 1.1664, 110.0),
            Viewpoint("Rue du Général-de-Gaulle", 49.2141, 1.1692, 20.0),
            Viewpoint("Parvis Notre-Dame", 49.2130, 1.1697, 245.0),
        ),
    ),
    Commune(
        "27056",
        "Bernay",
        49.0890,
        0.5989,
        (
            Viewpoint("Place Gustave-Héon", 49.0890, 0.5989, 320.0),
            Viewpoint("Rue Thiers", 49.0902, 0.5972, 80.0),
            Viewpoint("Place de la gare", 49.0867, 0.5983, 10.0),
        ),
    ),
    Commune(
        "27016",
        "Les Andelys",
        49.2466,
        1.4220,
        (
            Viewpoint("Place Nicolas-Poussin", 49.2466, 1.4220, 180.0),
            Viewpoint("Quai Grimoult", 49.2382, 1.4040, 225.0),
            Viewpoint("Avenue de la République", 49.2432, 1.4128, 65.0),
        ),
    ),
    Commune(
        "27467",
        "Pont-Audemer",
        49.3555,
        0.5145,
        (
            Viewpoint("Place Victor-Hugo", 49.3548, 0.5150, 290.0),
            Viewpoint("Rue de la République", 49.3556, 0.5141, 100.0),
            Viewpoint("Place Louis-Gillain", 49.3563, 0.5118, 35.0),
        ),
    ),
)

OTHERS = (
    Commune("27701", "Val-de-Reuil", 49.2614, 1.2120),
    Commune("27284", "Gisors", 49.2788, 1.7685),
    Commune("27679", "Verneuil d'Avre et d'Iton", 48.7622, 0.8877),
    Commune("27275", "Gaillon", 49.1589, 1.3462),
    Commune("27198", "Mesnils-sur-Iton", 48.8485, 1.0523),
    Commune("27213", "Vexin-sur-Epte", 49.1803, 1.5818),
    Commune("27602", "Saint-Sébastien-de-Morsent", 49.0127, 1.0746),
    Commune("27022", "Le Val d'Hazey", 49.1703, 1.3152),
    Commune("27448", "Pacy-sur-Eure", 49.0172, 1.3809),
    Commune("27165", "Conches-en-Ouche", 48.9546, 0.9320),
    Commune("27065", "Beuzeville", 49.3378, 0.3429),
    Commune("27562", "Saint-Marcel", 49.0916, 1.4392),
    Commune("27049", "Mesnil-en-Ouche", 48.9841, 0.6635),
    Commune("27112", "Breteuil", 48.8265, 0.8925),
    Commune("27428", "Le Neubourg", 49.1487, 0.8968),
    Commune("27116", "Brionne", 49.1881, 0.7121),
    Commune("27469", "Pont-de-l'Arche", 49.2911, 1.1438),
    Commune("27103", "Bourg-Achard", 49.3454, 0.8094),
    Commune("27299", "Gravigny", 49.0521, 1.1599),
    Commune("27105", "Grand Bourgtheroulde", 49.3063, 0.8618),
    Commune("27090", "Bosroumois", 49.2893, 0.9189),
    Commune("27507", "Saint-André-de-l'Eure", 48.9027, 1.2787),
    Commune("27638", "Le Thuit de l'Oison", 49.2609, 0.9411),
    Commune("27226", "Étrépagny", 49.3122, 1.6161),
    Commune("27230", "Ézy-sur-Eure", 48.8712, 1.4118),
    Commune("27528", "Le Vaudreuil", 49.2608, 1.1978),
    Commune("27554", "La Chapelle-Longueville", 49.1079, 1.4094),
    Commune("27493", "Romilly-sur-Andelle", 49.3345, 1.2541),
    Commune("27306", "Guichainville", 48.9805, 1.1787),
    Commune("27279", "Gasny", 49.1019, 1.5997),
    Commune("27051", "Beaumont-le-Roger", 49.0594, 0.7540),
    Commune("27355", "Ivry-la-Bataille", 48.8861, 1.4471),
    Commune("27458", "Pîtres", 49.3309, 1.2176),
    Commune("27191", "Clef Vallée d'Eure", 49.1172, 1.2500),
    Commune("27580", "Saint-Ouen-de-Thouberville", 49.3488, 0.8965),
    Commune("27438", "Nonancourt", 48.7779, 1.1770),
    Commune("27183", "La Couture-Boussey", 48.9020, 1.3966),
    Commune("27425", "Nassandres sur Risle", 49.1424, 0.7142),
    Commune("27502", "Rugles", 48.8160, 0.6916),
    Commune("27180", "Courcelles-sur-Seine", 49.1851, 1.3657),
    Commune("27517", "Saint-Aubin-sur-Gaillon", 49.1329, 1.3363),
    Commune("27082", "La Bonneville-sur-Iton", 48.9973, 1.0353),
    Commune("27278", "Garennes-sur-Eure", 48.9093, 1.4336),
    Commune("27365", "Léry", 49.2875, 1.1954),
    Commune("27616", "La Saussaye", 49.2546, 0.9865),
    Commune("27246", "Fleury-sur-Andelle", 49.3640, 1.3523),
    Commune("27582", "Saint-Ouen-du-Tilleul", 49.3010, 0.9447),
    Commune("27453", "Perriers-sur-Andelle", 49.4085, 1.3629),
    Commune("27622", "Serquigny", 49.1151, 0.7073),
    Commune("27629", "Thiberville", 49.1321, 0.4400),
    Commune("27676", "Les Trois Lacs", 49.2169, 1.3332),
    Commune("27003", "Acquigny", 49.1645, 1.1762),
    Commune("27593", "Saint-Pierre-des-Fleurs", 49.2499, 0.9625),
    Commune("27397", "Ménilles", 49.0385, 1.3706),
)

COMMUNES = DEMONSTRATION + OTHERS

_ANYWHERE = (
    "Place de la mairie",
    "Parvis de l'église",
    "Grande Rue",
    "Entrée de bourg",
    "Groupe scolaire",
    "Complexe sportif",
    "Salle des fêtes",
    "Rond-point nord",
    "Rond-point sud",
    "Zone d'activités",
    "Parking du marché",
    "Gare routière",
)


def viewpoint(commune: Commune, rank: int) -> Viewpoint:
    """The `rank`-th viewpoint of a commune, counted from 0; beyond its own ones they are made up around its middle."""
    if rank < len(commune.viewpoints):
        return commune.viewpoints[rank]
    made_up = rank - len(commune.viewpoints)
    name = _ANYWHERE[made_up % len(_ANYWHERE)]
    turn = made_up // len(_ANYWHERE)
    return Viewpoint(
        name if turn == 0 else f"{name} {turn + 1}",
        round(commune.latitude + 0.0011 * ((made_up * 7) % 11 - 5), 4),
        round(commune.longitude + 0.0016 * ((made_up * 5) % 13 - 6), 4),
        float(made_up * 47 % 360),
    )
