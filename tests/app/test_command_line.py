"""What is wrong with a command line is said in French, with the exit code 2 of bad input."""

from __future__ import annotations

import pytest

from vms.app.cli.main import main


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int | str | None, list[str]]:
    """The exit code of a command, and its lines on standard error."""
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return ended.value.code, capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("line", "sentence", "hint"),
    [
        ("demo --dta x", "L'option « --dta » n'existe pas.", "Vouliez-vous écrire « --data » ?"),
        ("demo --port", "L'option « --port » est mal employée.", "« vms --help » dit ce qui est possible."),
        (
            "demo --port 99999",
            "La valeur donnée à l'option « --port » est refusée : un nombre de 1 à 65535 est attendu.",
            "« vms demo --help » dit ce qui est possible.",
        ),
        (
            "audit verify --lang de",
            "La valeur donnée à l'option « --lang » est refusée.",
            "« vms audit verify --help » dit ce qui est possible.",
        ),
        ("audit show", "Il manque l'argument « INDEX ».", "« vms audit show --help » dit ce qui est possible."),
        ("cameras lst", "La commande « lst » n'existe pas.", "Vouliez-vous écrire « list » ?"),
        ("nonsense", "La commande « nonsense » n'existe pas.", "« vms --help » dit ce qui est possible."),
    ],
)
def test_a_slip_on_the_command_line_is_named(line: str, sentence: str, hint: str, capsys: pytest.CaptureFixture[str]):
    assert said(capsys, *line.split()) == (2, [f"Erreur : {sentence}", f"  → {hint}"])


def test_a_command_without_words_shows_its_help(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["audit"])
    assert ended.value.code == 2
    assert "verify" in capsys.readouterr().out


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]):
    assert said(capsys, "--help") == (0, [])
