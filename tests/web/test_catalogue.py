"""The catalogues say all that mails say, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from app.accounts.rules import LOCALES
from app.blueprints.common.languages import TRANSLATIONS
from app.payments.errors import DECLINE_REASONS
from app.rewards.policies import AdjustmentRules
from jobs.letters import OTHER_REASON, REASONS
from tests.conftest import ROOT

OTHERS = [locale.replace("-", "_") for locale in LOCALES if locale != "en"]
# As docs/languages.md has it
EXTRACT = ("extract", "-F", "pyproject.toml", "-k", "for_translation", "--add-location", "file", "-o")
PLACE = re.compile(r"%\((\w+)\)s")


def parse(path: Path, locale: str | None = None) -> Catalog:
    with path.open("rb") as source:
        return read_po(source, locale=locale, abort_invalid=True)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Everything in the code and the templates that is marked for translation."""
    path = tmp_path_factory.mktemp("catalogue") / "messages.pot"
    words = [sys.executable, "-m", "babel.messages.frontend", "-q", *EXTRACT, str(path), "app", "jobs"]
    subprocess.run(words, cwd=ROOT, check=True, timeout=60)
    return parse(path)


@pytest.fixture(params=OTHERS)
def catalogue(request: pytest.FixtureRequest) -> Catalog:
    return parse(TRANSLATIONS / request.param / "LC_MESSAGES" / "messages.po", request.param)


def ids(catalogue: Catalog) -> set[object]:
    return {message.id for message in catalogue if message.id}


def forms(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string)


def test_nothing_is_missing_and_nothing_is_left_over(template: Catalog, catalogue: Catalog) -> None:
    assert len(ids(template)) > 80
    assert ids(template) - ids(catalogue) == set(), "not in the catalogue: see docs/languages.md"
    assert ids(catalogue) - ids(template) == set(), "said no more: see docs/languages.md"
    assert not catalogue.obsolete


def test_every_entry_is_translated_and_sure(catalogue: Catalog) -> None:
    for message in catalogue:
        if message.id:
            assert all(text.strip() for text in forms(message)), message.id
            assert not message.fuzzy, message.id
            assert len(forms(message)) == (catalogue.num_plurals if message.pluralizable else 1), message.id


def test_every_entry_has_the_places_of_its_original(catalogue: Catalog) -> None:
    """A place that is not filled would show its name, one too many would keep the mail from being sent."""
    for message in catalogue:
        original = message.id if isinstance(message.id, str) else message.id[-1] if message.id else ""
        for text in forms(message) if original else []:
            assert sorted(PLACE.findall(text)) == sorted(PLACE.findall(original)), original
            assert text.count("%") == len(PLACE.findall(text)), original


def test_words_that_are_looked_up_by_name_are_there(catalogue: Catalog) -> None:
    words = {*DECLINE_REASONS.values(), *REASONS.values(), *AdjustmentRules().reasons.values(), OTHER_REASON}
    assert words <= ids(catalogue)
