"""Decision records: written once, made anew as long as they are proposed, superseded when they are history.

What people write between the generated blocks stays (edasim/record/blocks.py). A record that people decided about is never
overwritten; another one may supersede it, and then only the line of its status changes.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from edasim.decision.checking import BUDGET
from edasim.documents import assignment
from edasim.provenance import digest, provenance
from edasim.record.blocks import regenerated
from edasim.record.evidence import Evidence, chosen_of, evidence_for
from edasim.record.front_matter import with_status
from edasim.record.outcome_words import verdicts_of_chosen
from edasim.record.page import Drawing, page_of
from edasim.record.place import Place, place_of, superseded_by
from edasim.record.signed import Signed, SignedTippingPoint, SignedVerdict, beside, files_beside, inputs_beside, overrides_beside
from edasim.record.together import write_together
from edasim.record.trigger_words import as_checked, as_text, names_in
from edasim.runs import REPLICATIONS
from edasim.scenario import Scenario


@dataclass(frozen=True)
class Written:
    """A record that was written, and the blocks that somebody had removed and that are *put_back*."""

    record: Path
    put_back: tuple[str, ...]


def write_record(
    scenario_file: Path,
    chosen: str,
    out: Path,
    *,
    overrides: Mapping[str, object] | None = None,
    supersede: Path | None = None,
    replications: int = REPLICATIONS,
    budget: int = BUDGET,
    today: date | None = None,
    jobs: int = -1,
    progress: bool = False,
) -> Written:
    """Write the decision for an option of the scenario, with all its evidence, to *out*, and its figure beside it.

    A record that is there keeps what people wrote in it, and its date; a new one is of *today*. All files are written, or none.
    Raises InputError for what `place_of` refuses, an option that isn't one, and what `check` refuses: before anything is simulated.
    """
    place, scenario = place_of(out, supersede), Scenario.load(scenario_file, overrides)
    chosen_of(scenario, chosen)
    source = _Source(beside(scenario_file, place.folder), overrides_beside(overrides or {}, place.folder))
    found = evidence_for(scenario, chosen, replications=replications, budget=budget, jobs=jobs, progress=progress)
    place = place_of(out, supersede)  # once more: that took minutes, in which people may have written in either record
    drawing = drawing_of(found, out)
    page = page_of(
        found,
        signed_for(found, source, place),
        commands_for(found, source),
        place.folder,
        today or date.today(),
        drawing,
    )
    text, put_back = regenerated(place.before, page, str(out)) if place.before else (page, [])
    files = {out: text.encode(), place.folder / drawing.name: drawing.content}
    if place.old is not None:
        files[place.old] = with_status(place.old_text, superseded_by(out, place.old), str(place.old)).encode()
    write_together(files)
    return Written(out, tuple(put_back))


@dataclass(frozen=True)
class _Source:
    """The file that a scenario came from, named from the record's folder, and what was changed in it."""

    file: str
    overrides: dict[str, Any]


def signed_for(found: Evidence, source: _Source, place: Place) -> Signed:
    """What is signed: the inputs, the choice and what came out."""
    return Signed(
        chosen=found.chosen.name,
        scenario_file=source.file,
        overrides=source.overrides,
        inputs=inputs_beside(found.scenario, place.folder),
        digest=digest(found.scenario.as_mapping()),
        files=files_beside(found.scenario, place.folder),
        seed=found.comparison.seed,
        replications=found.replications,
        budget=found.check.budget,
        verdicts=[SignedVerdict(requirement=row.requirement, verdict=row.verdict, number=row.number) for row in verdicts_of_chosen(found)],
        tipping_points=[
            SignedTippingPoint(
                path=point.over.path,
                unit=point.over.unit,
                now=point.now,
                estimate=point.estimate,
                low=point.low,
                high=point.high,
                requirement=point.requirement,
            )
            for point in found.tipping.points
        ],
        supersedes=place.supersedes,
        **provenance(),
    )


def commands_for(found: Evidence, source: _Source) -> list[str]:
    """What to type in the record's folder to confirm it."""
    option = ["--option" if found.scenario.options else "--pattern", found.chosen.name]
    changes = [word for path, value in source.overrides.items() for word in ("--set", assignment(path, value))]
    asked = (("--replications", found.replications, REPLICATIONS), ("--budget", found.check.budget, BUDGET))
    changes += [word for name, value, usual in asked if value != usual for word in (name, str(value))]
    return [
        shlex.join(["edasim", "check", _no_option(source.file), *option, *changes]),
        shlex.join(["edasim", "record", "verify", ".", "--observed", "observed.yaml"]),
    ]


def _no_option(file: str) -> str:
    return f"./{file}" if file.startswith("-") else file


def drawing_of(found: Evidence, out: Path) -> Drawing:
    """The figure of the tipping points, for a file beside the record."""
    from edasim.figures.tipping_points import tipping_points_figure

    picture = tipping_points_figure(as_checked(found))
    title = f"Tipping points of {found.chosen.name}. "
    return Drawing(f"{out.stem}.tipping-points.png", title + as_text(picture.alt.removeprefix(title), names_in(found)), picture.png)
