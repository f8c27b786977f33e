"""What all tests share: they see no shipped model unless they ask for it."""

import pytest
from hypothesis import HealthCheck, settings

from clearscene.models import zoo

# Machines are shared and noisy: how long an example takes says nothing about a law.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

SHIPPED_FOLDER = zoo.shipped_folder


@pytest.fixture(scope="session", autouse=True)
def _without_shipped_model(tmp_path_factory):
    """Most tests are about rules, files and reports: they run without networks, fast and with known answers."""
    empty = tmp_path_factory.mktemp("no weights")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zoo, "shipped_folder", lambda: empty)
        yield


@pytest.fixture
def shipped_model(monkeypatch):
    """The folder of the inspection model in the package, which the test now sees as a user does."""
    monkeypatch.setattr(zoo, "shipped_folder", SHIPPED_FOLDER)
    return SHIPPED_FOLDER() / "defects"
