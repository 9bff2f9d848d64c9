"""A broker's definitions as a topology file: `provision import`.

`reading.py` takes the JSON and picks a vhost, `entries.py` says it in the file's words, `text.py`
writes YAML; `fitting.py` puts them together and leaves out, as comments, what does not fit.
"""

from orquestador.provision.importing.fitting import topology_yaml
from orquestador.provision.importing.reading import parsed

__all__ = ["parsed", "topology_yaml"]
