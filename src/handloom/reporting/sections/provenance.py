"""Provenance: versions, seed and data of a run, and the command that does it again."""

from collections.abc import Mapping
from typing import Any

from handloom.markup import Node, element
from handloom.reporting.captions import table_caption
from handloom.reporting.command import command_of
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Section
from handloom.reporting.wording import without_paths

TITLE = "Provenance: how to run it again"


def provenance(run: ReportedRun) -> Section:
    """Return the settings and the environment of a run, and the command to do it again."""
    command = command_of(run)
    body: list[Node] = []
    if command is not None:
        body += [
            element("p", "The command that does it again:"),
            element("pre", element("code", command)),
        ]
    body.append(
        element(
            "div",
            table("Data, versions and processor", facts_of(run)),
            table("Settings", settings_of(run.settings)) if run.settings else None,
            class_="columns",
        )
    )
    return Section("provenance", TITLE, body)


def facts_of(run: ReportedRun) -> list[tuple[str, str]]:
    """Return the facts of data, versions and processor."""
    facts = [("dataset", run.dataset)]
    if run.fingerprint is not None:
        facts.append(("training rows", f"{run.fingerprint['rows']:,}"))
        facts.append(("SHA-256 of the rows", str(run.fingerprint["sha256"])))
    if (history := run.history) is not None:
        facts.append(("backend", history.ran.removeprefix("backend ")))
        facts.append(("lanes", str(history.lanes)))
    if run.description is not None:
        facts.append(("threads", str(run.description.threads)))
        several = len(run.description.environments) > 1
        for index, each in enumerate(run.description.environments):
            after = f" ({index + 1})" if several else ""
            facts += [(f"{name}{after}", text) for name, text in _environment(each)]
    return [(name, without_paths(text)) for name, text in facts]


def _environment(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = []
    versions = values.get("versions", {})
    if isinstance(versions, dict):
        facts += [(str(name), str(version)) for name, version in versions.items() if version]
    facts += [
        (name, str(values[name])) for name in ("processor", "cores") if values.get(name) is not None
    ]
    blas = values.get("blas", [])
    if isinstance(blas, list) and blas:
        facts.append(("BLAS", ", ".join(map(str, blas))))
    return facts


def settings_of(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return settings as names and texts."""
    return [
        (name.replace("_", " "), without_paths(setting_text(value)))
        for name, value in settings.items()
        if name != "kind" and value is not None
    ]


def setting_text(value: object) -> str:
    """Return a setting as text."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def table(caption: str, rows: list[tuple[str, str]]) -> Node:
    """Return names and texts as a table."""
    body = [
        element("tr", element("th", name, scope="row"), element("td", text, class_="text breaking"))
        for name, text in rows
    ]
    return element("table", table_caption(caption), element("tbody", body), class_="pairs")
