"""`theory-checks attack`: what it says, what it leaves, and how it goes on."""

import json
from pathlib import Path

import pytest

from theory_checks import cli
from theory_checks.records.read import load_results
from theory_checks.registration import RegistrationError
from theory_checks.worst_case.attack import load
from theory_checks.worst_case.attack.command import AttackError, attack
from theory_checks.worst_case.attack.outcome import families_of, read, resumed
from theory_checks.worst_case.attack.search import Search

from .hills import FAMILY, HILL, WRONG, claim

SOURCE = Path(__file__).with_name("hills.py")


def attacked(directory, theorem=HILL, *, budget=0.5, **changed):
    lines = []
    arguments = {"constant": None, "budget": budget, "seed": 1, "resume": False} | changed
    refuted = attack(
        claim(theorem, FAMILY),
        directory,
        say=lines.append,
        claims_from=[str(SOURCE)],
        **arguments,
    )
    return refuted, lines


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A search that ended without a violation, and its lines."""
    directory = tmp_path_factory.mktemp("attack")
    return directory, *attacked(directory)


class TestOutcome:
    def test_a_theorem_that_holds(self, finished):
        directory, refuted, lines = finished
        assert not refuted
        assert lines[-1].startswith("not refuted: H holds on all of")
        record = read(directory / "attack.json")
        assert record["refuted"] is None
        assert record["evaluations"] == sum(one["evaluations"] for one in record["restarts"]) > 0
        assert {"ratio", "L"} <= {name for one in record["hardest"] for name in one["for"]}

    def test_a_theorem_with_a_mistake(self, tmp_path):
        refuted, lines = attacked(tmp_path, WRONG, budget=20.0)
        assert refuted
        assert lines[-1].startswith("REFUTED: H is violated on an instance of 'hills'")
        record = read(tmp_path / "attack.json")
        assert record["refuted"]["tightness"] > 1
        (found,) = load_results(tmp_path)["claims"]
        assert found["verdict"] == "REFUTED"
        assert found["case"].startswith("violation")

    def test_the_report_shows_the_search(self, finished):
        page = (finished[0] / "report.html").read_text()
        assert "The search that found these instances" in page
        assert "violated above" in page
        (found,) = load_results(finished[0])["claims"]
        assert found["id"] == "attack/hills/easy"
        assert found["search"]["families"]["hills"]["y"] == "-1 to 1, 2 of them"
        best = max(one["scores"]["L"] for one in found["search"]["hardest"])
        # The theorem is linear in L: the share that is needed is one over the factor.
        assert found["coverage"]["L"]["factor"] == pytest.approx(1 / best, rel=2e-3)

    def test_its_claim_is_loaded_again(self, finished):
        (again,) = load(finished[0] / "attack.json")
        assert again.id == "attack/hills/easy"
        name, make = next(iter(again.cases.items()))
        kept = read(finished[0] / "attack.json")["hardest"][0]
        assert "close to the bound" in name
        assert make().setting.constants["r_0"].value == kept["parameters"]["start"]

    def test_a_search_goes_on(self, finished, tmp_path):
        for name in ("attack.json",):
            (tmp_path / name).write_text((finished[0] / name).read_text())
        before = read(tmp_path / "attack.json")
        attacked(tmp_path, budget=before["seconds"] + 0.4, resume=True)
        after = read(tmp_path / "attack.json")
        assert after["restarts"][: len(before["restarts"])] == before["restarts"]
        assert after["evaluations"] > before["evaluations"]

    def test_all_that_it_takes_is_in_the_file(self, finished):
        record = read(finished[0] / "attack.json") | {"tests": 3}
        again = Search(HILL, [FAMILY], seed=1)
        resumed(again, record)
        assert again.tests == 3
        assert again.evaluations == record["evaluations"]
        kept = {(one["family"], one["objective"]): one["parameters"] for one in record["best"]}
        assert {place: one.parameters for place, one in again.best.items()} == kept

    def test_another_search_is_not_gone_on_with(self, finished):
        with pytest.raises(AttackError, match="has seed = 1, this one 2"):
            attacked(finished[0], resume=True, seed=2)

    def test_an_interruption_keeps_the_best(self, tmp_path, monkeypatch):
        from theory_checks.worst_case.attack import search as module

        attempt = module.Search.attempt

        def interrupted(self, number, *rest, **more):
            if number == 1:
                raise KeyboardInterrupt
            return attempt(self, number, *rest, **more)

        monkeypatch.setattr(module.Search, "attempt", interrupted)
        with pytest.raises(KeyboardInterrupt):
            attacked(tmp_path, budget=30.0)
        record = read(tmp_path / "attack.json")
        assert len(record["restarts"]) == 1
        assert record["hardest"]
        assert (tmp_path / "report.html").is_file()


class TestBadInput:
    def test_no_family_fits(self, tmp_path):
        with pytest.raises(AttackError, match=r"no family of instances fits H; .*families="):
            attack(claim(), tmp_path, constant=None, budget=1.0, seed=0, resume=False)

    def test_families_of_this_repository_fit_their_theorems(self):
        from theory_checks.claims import CLAIMS

        (one,) = (one for one in CLAIMS if one.id == "frank_wolfe/sarah/convex/hardest")
        assert len(families_of(one)) == 3
        assert families_of(claim(HILL, FAMILY)) == (FAMILY,)

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["hills/easi"], "there is no claim 'hills/easi'; close to it are hills/easy"),
            (["hills/easy", "--constant", "M"], "'M' is no constant that H could get wrong"),
            (["hills/easy", "--budget", "0"], "a positive number of minutes is needed, got '0'"),
            (["hills/easy", "--seed", "-1"], "an integer from 0 to 2\\^30 - 1 is needed"),
        ],
    )
    def test_usage(self, arguments, said, tmp_path, capsys):
        import re

        full = ["attack", *arguments, "--claims", str(SOURCE), "--out", str(tmp_path / "out")]
        try:
            status = cli.main(full)
        except SystemExit as end:
            status = end.code
        assert status == 2
        assert re.search(said, capsys.readouterr().err)

    def test_a_folder_with_something_in_it(self, tmp_path, capsys):
        (tmp_path / "notes").touch()
        full = ["attack", "hills/easy", "--claims", str(SOURCE), "--out", str(tmp_path)]
        assert cli.main(full) == 2
        assert "give --resume" in capsys.readouterr().err

    def test_a_file_that_is_no_search(self, tmp_path):
        path = tmp_path / "attack.json"
        path.write_text(json.dumps({"schema": 7}))
        with pytest.raises(RegistrationError, match="is not the record of a search"):
            load(path)
        path.write_text("{")
        with pytest.raises(RegistrationError, match="cannot be read"):
            load(path)
