"""`doctor`: whether this broker and this account will do, line by line, each with its remedy.

It changes nothing that it finds: `harmless.py` says how that is done.
"""

from orquestador.provision.doctor.check import Check, Verdict, exit_code
from orquestador.provision.doctor.examination import examine
from orquestador.provision.doctor.printing import as_json, lines, summary

__all__ = ["Check", "Verdict", "as_json", "examine", "exit_code", "lines", "summary"]
