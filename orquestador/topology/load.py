"""topology.yaml -> model: read, checked by the schema, expanded, cross-checked, built.

Each step is a module; none stops the next, so that everything wrong is reported at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from orquestador import documents, schemas
from orquestador.documents import Document
from orquestador.errors import ConfigurationError
from orquestador.topology import build, check, expand, options
from orquestador.topology.model import Topology
from orquestador.topology.vocabulary import Vocabulary


def load(
    path: str | Path,
    vocabulary: Vocabulary | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Topology:
    """The file's topology; ConfigurationError with all that is wrong in it.

    `vocabulary`: what plugins provide; without one the services' further keys are not checked.
    """
    return understood(documents.read(path, environ), vocabulary)


def understood(document: Document, vocabulary: Vocabulary | None = None) -> Topology:
    """`load` for a document that is already read."""
    misfits = schemas.findings(document, schemas.without_references("topology"))
    draft = expand.draft(document, misfits)
    faults = {
        *document.faults,
        *(document.fault(misfit.place, misfit.text) for misfit in misfits),
        *check.faults(draft),
        *options.faults(draft, vocabulary),
    }
    if faults:
        raise ConfigurationError(tuple(faults))
    return build.topology(Path(document.file), draft, vocabulary)
