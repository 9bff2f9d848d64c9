"""Finding plugins: one package put together from folders, and installed entry points.

The folders' modules become `orquestador_plugins.NAME`: the shipped ones, `plugins/` beside the
topology file, each `--plugins DIR`.  One mechanism for built-ins and users.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib.machinery import ModuleSpec
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import TYPE_CHECKING

import pluggy

from orquestador.errors import ConfigurationError
from orquestador.hooks import hookspecs
from orquestador.hooks.observers import Observer, Observers
from orquestador.hooks.registry import Registry
from orquestador.wording import did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

PACKAGE = "orquestador_plugins"


class Plugins:
    """What was loaded: `registry`, `origins` (plugin -> where it came from), observers to be."""

    def __init__(self, manager: pluggy.PluginManager, origins: dict[str, str]) -> None:
        self._manager = manager
        self.origins = origins
        self.registry = Registry(searched=tuple(package_path()))
        for impl in manager.hook.register_roles.get_hookimpls():
            _call(impl, partial(self.registry.add_role, plugin=impl.plugin_name))
        for impl in manager.hook.register_responders.get_hookimpls():
            _call(impl, partial(self.registry.add_responder, impl.plugin_name))

    def observers(self) -> Observers:
        """A running thread that tells these plugins; close it."""
        return Observers(
            {
                hook: [
                    Observer(impl.plugin_name, impl.function, impl.argnames)
                    for impl in reversed(getattr(self._manager.hook, hook).get_hookimpls())
                ]
                for hook in hookspecs.OBSERVERS
            }
        )


def load(topology_folder: Path | None = None, extra: Iterable[str | Path] = ()) -> Plugins:
    """Import every plugin module of the folders and every installed one.

    Raises ConfigurationError: a folder that is not there, one module name in two folders, a module
    that cannot be imported (with its file and line), a hook that does not exist or that takes other
    arguments, one role or responder registered twice.
    """
    folders = _folders(topology_folder, extra)
    names = _modules(folders)
    _assemble(folders)
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    origins: dict[str, str] = {}
    for name, folder in names.items():
        module = _import(name, folder)
        _register(manager, module, name)
        origins[name] = str(folder)
    for entry in _installed():
        origin = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "?"
        if entry.name in origins:
            text = f"plugin {entry.name!r} is there twice: from {origins[entry.name]} and {origin}"
            raise ConfigurationError(text)
        try:
            _register(manager, entry.load(), entry.name)
        except ConfigurationError:
            raise
        except Exception as fault:
            text = f"the installed plugin {entry.name!r} ({entry.value}) cannot be loaded: {fault}"
            raise ConfigurationError(text) from None
        origins[entry.name] = origin
    _check_hooks(manager)
    return Plugins(manager, origins)


def _installed() -> Iterable[EntryPoint]:
    """The group's entry points.

    importlib.metadata costs 30 ms, mostly the mail parser that it imports: it is asked only where a
    distribution's entry_points.txt names the group at all.
    """
    section = f"[{hookspecs.PROJECT}]"
    kinds = ("*.dist-info/entry_points.txt", "*.egg-info/entry_points.txt")
    files = (file for each in sys.path for kind in kinds for file in Path(each or ".").glob(kind))
    if not any(section in file.read_text(errors="replace") for file in files):
        return ()
    from importlib.metadata import entry_points

    return entry_points(group=hookspecs.PROJECT)


def package_path() -> list[str]:
    """The folders of the package as it stands."""
    return list(getattr(sys.modules.get(PACKAGE), "__path__", ()))


def shipped() -> Path:
    """The built-in plugins: beside the library in a checkout, in their own package in a wheel."""
    beside = Path(__file__).resolve().parents[2]
    installed = beside / PACKAGE
    return installed if installed.is_dir() else beside / "plugins"


def _folders(topology_folder: Path | None, extra: Iterable[str | Path]) -> list[Path]:
    folders = [shipped()]
    if topology_folder is not None and (topology_folder / "plugins").is_dir():
        folders.append((topology_folder / "plugins").resolve())
    for each in extra:
        folder = Path(each)
        if not folder.is_dir():
            raise ConfigurationError(f"--plugins {each}: there is no such folder")
        folders.append(folder.resolve())
    return list(dict.fromkeys(folders))


def _modules(folders: Sequence[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in folders:
        for module in pkgutil.iter_modules([str(folder)]):
            if module.name in found and _same(found[module.name], folder, module.name):
                continue  # a checkout's built-in plugins beside the installed ones
            if module.name in found:
                text = (
                    f"plugin {module.name!r} is in two folders: {found[module.name]} and {folder}"
                )
                raise ConfigurationError(f"{text}; rename one")
            found[module.name] = folder
    return found


def _same(one: Path, other: Path, module: str) -> bool:
    """Whether two folders hold the very same plugin."""

    def sources(folder: Path) -> dict[str, bytes]:
        files = (*folder.glob(f"{module}.py"), *(folder / module).rglob("*.py"))
        return {str(file.relative_to(folder)): file.read_bytes() for file in files}

    return sources(one) == sources(other)


def _assemble(folders: Sequence[Path]) -> None:
    """Folders of one name don't join by themselves: the package's path is set by hand."""
    package = sys.modules.get(PACKAGE)
    if package is None or package.__spec__ is None or package.__spec__.origin != PACKAGE:
        package = ModuleType(PACKAGE, "Plugins of all folders, put together at run time.")
        package.__spec__ = ModuleSpec(PACKAGE, None, origin=PACKAGE, is_package=True)
        sys.modules[PACKAGE] = package
    paths = [str(folder) for folder in folders]
    gone = set(package_path()) - set(paths)
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if name.startswith(f"{PACKAGE}.") and any(
            Path(each) in Path(file).parents for each in gone
        ):
            del sys.modules[name]
    package.__path__ = paths
    importlib.invalidate_caches()


def _import(name: str, folder: Path) -> ModuleType:
    try:
        return importlib.import_module(f"{PACKAGE}.{name}")
    except SyntaxError as fault:
        where, text = f"{fault.filename}:{fault.lineno}", fault.msg
    except (Exception, SystemExit) as fault:
        mine = [f for f in extract_tb(fault.__traceback__) if f.filename.startswith(str(folder))]
        where = f"{mine[-1].filename}:{mine[-1].lineno}" if mine else str(folder / name)
        text = f"{type(fault).__name__}: {fault}"
    raise ConfigurationError(f"{where}: plugin {name!r} cannot be imported: {text}")


def _register(manager: pluggy.PluginManager, plugin: object, name: str) -> None:
    try:
        manager.register(plugin, name)
    except pluggy.PluginValidationError as fault:
        lines = [line.strip() for line in str(fault).splitlines() if line.strip()]
        raise ConfigurationError(f"plugin {name!r}: {'; '.join(lines)}") from None


def _check_hooks(manager: pluggy.PluginManager) -> None:
    known = [*hookspecs.OBSERVERS, "register_roles", "register_responders"]
    for name, plugin in manager.list_name_plugin():
        for attribute in dir(plugin):
            options = manager.parse_hookimpl_opts(plugin, attribute)
            if options is None:
                continue
            if attribute not in known:
                near = did_you_mean(attribute, known)
                raise ConfigurationError(f"plugin {name!r}: there is no hook {attribute!r}{near}")
            if options["wrapper"] or options["hookwrapper"]:
                text = f"{attribute} is called for each plugin alone: it cannot be a wrapper"
                raise ConfigurationError(f"plugin {name!r}: {text}")


def _call(impl: pluggy.HookImpl, register: Callable[..., None]) -> None:
    try:
        impl.function(register)
    except ConfigurationError:
        raise
    except Exception as fault:
        text = f"plugin {impl.plugin_name!r} failed to register: {type(fault).__name__}: {fault}"
        raise ConfigurationError(text) from None
